"""What the cleaner works on: finished tasks, and what crashes and time leave behind."""
