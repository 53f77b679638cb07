"""Fetch, verify, unpack and install; every step whole or not at all."""
