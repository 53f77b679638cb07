"""What the MLPerf Inference v1.0 rules say of object detection, as data."""
