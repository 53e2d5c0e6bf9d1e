"""The lake's tables, compacted: many small parts, one a study, beside few large files that say the same, for whoever asks."""
