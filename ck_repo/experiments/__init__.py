"""Recorded runs and published results: entries, figures, tables, comparisons."""
