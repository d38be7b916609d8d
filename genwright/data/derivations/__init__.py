"""Columns from other columns: one file a derivation, found by being here."""
