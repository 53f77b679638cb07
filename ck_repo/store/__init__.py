"""Repositories and entries on disk."""
