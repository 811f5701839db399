"""A module that de-identifies images by the basic profile of DICOM PS3.15 annex E, with its options."""
