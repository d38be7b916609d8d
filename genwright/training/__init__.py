"""Choosing a family by trial, training it in rounds, and finding out what went wrong."""
