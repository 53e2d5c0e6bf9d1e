"""What a plan asks beside the reading of cases: masks, measurements, repeated measurements and readers, each from a table of its own."""
