"""Run a benchmark: decide, install, hand over to the harness, record."""
