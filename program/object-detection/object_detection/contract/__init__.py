"""What the engine and the harness exchange: spec.json and results.json, and the reader of both.

The harness cannot import the engine, so it has an identical copy of this folder, which `nox -s pages` writes
(docs/make_contract.py). The modules here import nothing but the standard library and each other.
"""
