"""Stories: what the router does, told step by step with time as an argument, against a real server."""
