"""The benchmark harness: one model, one data set, one scenario of LoadGen, from one JSON file to another.

Run as ``python -m object_detection spec.json`` in a venv that has NumPy, OpenCV, LoadGen, pycocotools and the framework.
"""

__version__ = "0.1.0"
