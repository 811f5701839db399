"""The terminal UI: presentation only, a client of the control API."""
