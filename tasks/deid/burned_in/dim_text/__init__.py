"""A small network of our own that finds dim and small lines of text, how it is trained on drawn pictures, and how it is asked."""
