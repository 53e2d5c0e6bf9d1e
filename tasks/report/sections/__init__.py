"""What a report may have in it: a module a subject, each with `section(report)`, which gives a section or says why it is left out."""
