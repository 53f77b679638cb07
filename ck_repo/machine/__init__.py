"""The machine: interpreters, hardware, Python packages, the user's models and data sets."""
