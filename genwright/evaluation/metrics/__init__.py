"""Measures of quality: one file a measure, found by being here."""
