"""Measuring a model on items it has not seen."""
