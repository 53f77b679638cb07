"""Venvs: templates, creation, activation, locks."""
