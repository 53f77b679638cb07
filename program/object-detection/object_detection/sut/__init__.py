"""Systems under test: how the queries of a scenario reach the backends."""
