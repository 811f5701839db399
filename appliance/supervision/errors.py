"""What can go wrong with supervision; each text says what, where and what to do."""


class SupervisionError(Exception):
    """The services cannot be run."""


class AlreadyRunningError(SupervisionError):
    """A router of this root runs already."""


class NotRunningError(SupervisionError):
    """No router runs in this root."""


class SupervisionDeniedError(SupervisionError):
    """The router belongs to another user."""


class RefusedError(SupervisionError):
    """supervisord did not do what it was asked, or not in time."""
