"""Change control: what of a model may change, what a new version has to show before it is used, and what is watched while it is."""
