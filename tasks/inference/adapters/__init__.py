"""One module a format of weights: each gives a network, which maps (n, 1, z, y, x) to what the manifest's head expects."""
