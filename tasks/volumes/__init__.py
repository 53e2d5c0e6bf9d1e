"""De-identified DICOM becomes NIfTI whose geometry carries a certificate, and tables; what it cannot convert it refuses with a reason."""
