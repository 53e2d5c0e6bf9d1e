"""One module a table of the lake: its columns, types, units, allowed values and meaning, declared once."""
