"""Releases in the layouts that training programs read; each written from what was frozen, outside of the lake."""
