"""Recorded runs and published results: entries, metrics, tables, comparisons."""
