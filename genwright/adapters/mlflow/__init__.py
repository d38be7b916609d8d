"""Runs and model versions, kept by MLflow."""
