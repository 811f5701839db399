"""The history: exams, tasks, events and traffic, and the end of the outbox."""
