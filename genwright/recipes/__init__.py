"""Recipes: what they may say, how they are read, written and proposed."""
