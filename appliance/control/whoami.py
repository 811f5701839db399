"""Who asks, and what the role allows."""

from __future__ import annotations

from appliance.control.api import status as api
from appliance.control.api.base import Nothing
from appliance.control.registry import Asked, carries_out_for_caller, table
from appliance.control.session import Session
from mercure import __version__


@carries_out_for_caller(api.WHO_AM_I)
def whoami(asked: Asked, wanted: Nothing) -> api.WhoAmI:
    """Say who asks, at which router, and which verbs the role allows."""
    caller = asked.caller
    return api.WhoAmI(
        user=caller.user,
        uid=caller.uid,
        role=caller.role,
        node=asked.session.config.name,
        root=str(asked.session.root.path),
        version=__version__,
        fingerprint=_fingerprint(asked.session),
        site=asked.session.config.site.name,
        verbs=tuple(name for name, bound in table().items() if caller.may(bound.verb.role)),
    )


def _fingerprint(session: Session) -> str:
    """Return the fingerprint of the key of the box; empty without one, or where it cannot be read."""
    if not session.root.keys.is_dir():
        return ""
    from appliance.signatures import SignatureError, SigningKey  # noqa: PLC0415 - a tenth of a second, for who has a key

    try:
        key = SigningKey.load(session.root.keys)
    except (SignatureError, OSError):
        return ""  # who asks for a receipt is told why
    return key.public.fingerprint if key is not None else ""
