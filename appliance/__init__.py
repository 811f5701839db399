"""The box around the router: command line, control API, supervision, health and status page."""
