"""Supervision: supervisord runs the services, in the foreground, on a laptop as on the box.

`programs` says what is to run, `foreground` runs it, `client` talks to what runs. Only this package knows supervisor.
"""
