"""Programs started beside this one, and ended with it."""
