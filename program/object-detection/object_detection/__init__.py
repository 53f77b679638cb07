"""The benchmark harness: runs one model on one data set in one LoadGen scenario, from spec.json to results.json.

Run as ``python -m object_detection spec.json`` in a venv that has NumPy, OpenCV, LoadGen, pycocotools and the framework.
"""

__version__ = "0.1.0"
