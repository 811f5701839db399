"""The comparison of two revisions."""
