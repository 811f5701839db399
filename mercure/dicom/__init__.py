"""DICOM: where the tools are, tag records, sending (DCMTK), echo (pynetdicom)."""
