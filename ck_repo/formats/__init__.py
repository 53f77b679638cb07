"""Files of models, read without any framework and without running anything that they name."""
