"""Results back to the hospital: worklists, panels, fields for the report, and whether they came in time."""
