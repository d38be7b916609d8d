"""Prepares generative models and keeps them current."""

__version__ = "0.1.0"
