"""Flows of Prefect. What runs one is a process of its own, as a rule."""

from genwright.core import garbage

garbage.patient()
