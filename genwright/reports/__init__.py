"""Pages, charts and galleries for people."""
