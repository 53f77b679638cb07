"""Model files, their interfaces, and the frameworks that run them."""
