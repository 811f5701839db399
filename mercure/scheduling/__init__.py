"""Scheduling: which waiting task is worked on next, and by which thread; what dispatcher and processor share."""
