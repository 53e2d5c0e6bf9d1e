"""A generated answer key for de-identification and the scorer that reads it, in the spirit of the MIDI-B challenge."""
