"""Stock CK 2.6.4's metas, read at the edge: its packages become components of ours, its env entries env metas of ours."""
