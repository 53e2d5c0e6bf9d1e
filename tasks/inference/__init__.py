"""A model bundle reads every due study, once a version; what it must not read it refuses with a reason."""
