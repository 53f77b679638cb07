"""Locks: what exactly an environment and a run were made of, in one readable file."""
