"""Errors of supervision; each text says what, where and what to do."""


class SupervisionError(Exception):
    """The services cannot be run."""


class AlreadyRunningError(SupervisionError):
    """A router of this root runs already."""


class NotRunningError(SupervisionError):
    """No router runs in this root."""


class SupervisionDeniedError(SupervisionError):
    """The router belongs to another user."""


class RefusedError(SupervisionError):
    """supervisord did not carry out a request, or not in time."""
