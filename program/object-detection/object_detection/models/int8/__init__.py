"""8-bit integer convolutions for networks in PyTorch: post-training static quantization from ranges of activations."""
