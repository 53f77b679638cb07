"""Resolve tags to a plan: which components, in which order, and why. Nothing is changed here."""
