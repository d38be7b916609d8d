"""Families of models, what they share, and models on disk."""
