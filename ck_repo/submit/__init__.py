"""From runs to a submission: compliance tests, the description of the system, targets, the tree."""
