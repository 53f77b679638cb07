"""Hold a submission tree against the rules of round v1.0."""
