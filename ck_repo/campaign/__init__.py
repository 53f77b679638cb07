"""Campaigns: matrices of runs, searches for the best settings, and the machines that carry them out."""
