"""Conversions of models from one format to another.

Each module is run by a package's recipe, in the venv that has the framework: ``python -m object_detection.convert.NAME --source
FILE --model JSON --output FOLDER``. It writes the converted model into the folder and, where the way to use it differs from the
source's, ``model.json`` with what differs.
"""
