"""Readers of annotations. Every program that needs boxes uses these: registration, scoring, conversion and preparation.

The modules need the standard library alone, so that the engine can run them with its own interpreter.
"""
