"""Prefect's server and what it is asked."""
