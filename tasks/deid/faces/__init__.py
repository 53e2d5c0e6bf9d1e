"""Faces that a volume could be rendered to: whether one is in view, and how it is removed (Safe Harbor category Q)."""
