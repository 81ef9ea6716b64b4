"""Measures what the router costs: ``python -m bench.functions --help`` tells how."""
