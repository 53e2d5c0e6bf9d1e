"""Results as DICOM objects: made under the original identity, sent to the PACS, and kept de-identified in the lake."""
