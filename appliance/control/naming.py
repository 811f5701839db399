"""What to say of a name that nothing has."""

from __future__ import annotations

from collections.abc import Collection

from appliance.control.errors import ControlError
from mercure.config.problems import suggest


def no_such(what: str, name: str, known: Collection[str], none: str = "") -> ControlError:
    """Return the error for it: with the nearest name that there is, else with all of them.

    Parameters
    ----------
    what : str
        The sort of thing, in the singular.
    name : str
        What was asked for.
    known : collection of str
        The names that there are.
    none : str
        What to say where there are none; absent: just that.
    """
    every = f"there are {', '.join(known)}" if known else none or f"there are no {what}s"
    return ControlError("not-found", f"there is no {what} {name!r}", suggest(name, known) or every)
