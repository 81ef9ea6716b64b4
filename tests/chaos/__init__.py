"""Fault proofs: each breaks something on purpose, seeded and bounded, and counts what was promised.

A proof is a module of this package with a function ``prove``: see ``tests.chaos.proofs``.
"""
