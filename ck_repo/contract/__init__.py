"""What the engine and the harness share: spec.json and results.json, the reader of both, and the parser of LoadGen's logs.

The harness cannot import the engine, so it has an identical copy of this folder, which `nox -s pages` writes
(docs/make_contract.py). The modules here import nothing but the standard library and each other.
"""
