"""DICOM files as they are: elements, single values, native pixels and codestreams, read from bytes and checked; no stage owns them."""
