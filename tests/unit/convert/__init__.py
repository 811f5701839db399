"""Data sets in another transfer syntax."""
