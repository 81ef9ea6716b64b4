"""The router beside others that do part of its work, on one server and in one run."""
