"""Dataset releases: a version of the lake's volumes that is frozen, split by patient, described, and handed on."""
