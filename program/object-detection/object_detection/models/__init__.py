"""The networks of the benchmark in PyTorch, their anchors, and the conversion of their outputs to detections."""
