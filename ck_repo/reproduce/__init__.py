"""Make again what a lock, an experiment or a submission says, and tell what could not be the same."""
