"""A bounded load on a whole deployment: ``python -m bench.load --help`` tells how."""
