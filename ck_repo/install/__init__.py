"""Download, verify, unpack and install; every step is atomic."""
