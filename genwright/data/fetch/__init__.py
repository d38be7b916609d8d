"""Bringing files here: over the network, out of archives and packages, nothing of it trusted."""
