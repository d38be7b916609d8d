"""Cleaning rules: one file a rule, found by being here."""
