"""Readers of models that come as a Python package, with a way of their own to run their networks."""
