"""Families of generative models: one file a family, found by being here."""
