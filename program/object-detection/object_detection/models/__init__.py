"""The networks of the benchmark in PyTorch, their anchors, and what turns their heads into detections."""
