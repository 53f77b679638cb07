"""Metas of stock CK 2.6.4: its packages are converted to our components, its env entries to our env metas."""
