"""Which format each framework runs, and which framework a format is run by unless the user says otherwise."""

from __future__ import annotations

RUNS = {
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "tensorflow": "tensorflow",
    "tflite": "tflite",
    "torch": "safetensors",
}
USUAL = {
    "onnx": "onnxruntime",
    "openvino": "openvino",
    "pytorch": "torch",
    "safetensors": "torch",
    "tensorflow": "tensorflow",
    "tflite": "tflite",
}
