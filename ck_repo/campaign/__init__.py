"""Campaigns: matrices of runs, searches for the best settings, and clusters of machines that run them."""
