"""Reports that go out: each with a manifest, verifiable, kept in an archive that only grows, listed on one page."""
