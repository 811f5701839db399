"""Who asks: the name under which a change is audited."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Final

from appliance.control.errors import ControlError

_LOGIN_UID: Final = Path("/proc/self/loginuid")
_NOBODY_LOGGED_IN: Final = 2**32 - 1


def caller() -> str:
    """Return the name of the person who logged in, also behind sudo; of the process's user when nobody did.

    The kernel keeps the login's user id (``loginuid``, see audit(8)); the variables of sudo could be set by anybody.
    """
    return login_name(_LOGIN_UID, os.getuid())


def login_name(login: Path, user: int) -> str:
    """Return the name of who logged in, by the ``loginuid`` of a process; of its user when nobody did."""
    try:
        uid = int(login.read_text())
    except (OSError, ValueError):
        uid = _NOBODY_LOGGED_IN
    return user_name(user if uid == _NOBODY_LOGGED_IN else uid)


def user_name(uid: int) -> str:
    """Return the name of a user, or ``uid N`` when it has none here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def require_owner(path: Path) -> None:
    """Make sure that what is written under `path` can be read by the services, which run as its owner.

    root is refused too: its files would lock the services out of their own tasks.

    Raises
    ------
    ControlError
        The folder belongs to another user.
    """
    owner = path.stat().st_uid
    if owner != os.geteuid():
        name = user_name(owner)
        raise ControlError(
            "not-allowed", f"{path} belongs to {name}, and you are {user_name(os.geteuid())}", f"try: sudo -u {name} …"
        )
