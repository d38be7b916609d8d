"""Kinds of content: one file a kind, found by being here."""
