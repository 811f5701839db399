"""The rules: check, explain, dry run."""
