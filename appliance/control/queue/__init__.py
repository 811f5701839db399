"""The queue: what waits, and what a person can do to a task or a study."""
