"""The services: start, stop, scale; and their logs."""
