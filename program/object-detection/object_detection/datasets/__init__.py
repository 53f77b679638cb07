"""Readers of annotations, used for registration, scoring, conversion and preparation.

The modules only need the standard library, so that the engine can run them with its own interpreter.
"""
