"""A seeded fuzzer of DICOM files: whatever a file has been turned into, its study ends, and no identifier that was planted is released."""
