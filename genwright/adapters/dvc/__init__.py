"""Data versions, kept by DVC."""
