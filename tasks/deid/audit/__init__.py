"""The site audit: synthetic identifiers are hidden in copies of the site's own series, and what the profile leaves of them is counted."""
