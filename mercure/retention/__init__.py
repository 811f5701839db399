"""Retention: finished tasks, and what crashes and time leave behind, for the cleaner."""
