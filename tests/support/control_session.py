"""A session at a root whose configuration a person edits and whose events the bookkeeper records."""

from __future__ import annotations

import json
from typing import Any

from appliance.control.session import Session
from mercure.services.bookkeeper import Bookkeeper
from mercure.services.common import Context
from mercure.spool import Changes


def edit(session: Session, **changes: Any) -> Session:
    """Write into mercure.json with an editor, and look at it anew."""
    path = session.store.mercure.path
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return Session(session.root, session.user, clock=session.clock)


def record(session: Session) -> None:
    """Let the bookkeeper take up what was told."""
    context = Context(session.root.path, "bookkeeper", session.clock)
    assert context.start()
    bookkeeper = Bookkeeper(context)
    while bookkeeper.turn(Changes.everything()) == 0:
        pass
    bookkeeper.end()
    context.events.close()
