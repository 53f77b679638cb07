"""Run a benchmark: plan, install, start the harness, record."""
