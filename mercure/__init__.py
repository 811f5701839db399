"""The router: receives DICOM images, decides by rules where they belong, and delivers them."""

__version__ = "0.1.0"
