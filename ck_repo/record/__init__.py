"""Experiments: what was run, with what, on what, and what came out."""
