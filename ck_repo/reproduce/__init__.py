"""Reproduce a lock, an experiment or a submission, and report differences."""
