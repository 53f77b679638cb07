"""Systems under test: pass the queries of a scenario to the backends."""
