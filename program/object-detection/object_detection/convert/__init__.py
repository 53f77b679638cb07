"""Conversions of models from one format to another.

Each module is run by a package's recipe, in the venv with the framework: ``python -m object_detection.convert.NAME --source
FILE --model JSON --output FOLDER``. It writes the converted model into the folder and, if its interface differs from that of
the source, ``model.json`` with the differences.
"""
