"""Workflow automation for the MLPerf Inference v1.0 object-detection benchmark, with CK's command line."""

__version__ = "0.1.0"
