"""Places data comes from: one file a place, found by being here."""
