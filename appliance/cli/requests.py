"""How a command reaches the verbs: by the control service of a running router, else by itself as the user who calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from appliance.cli import exit_codes
from appliance.cli.common import Failure, open_session, root_folder
from appliance.cli.progress import Meter

if TYPE_CHECKING:
    from appliance.control.api.base import A, Progress, Q, Verb

    class Ask(Protocol):
        """Asks for one verb."""

        def __call__(self, verb: Verb[Q, A], request: Q | None = None) -> A:
            """Return the answer."""


T = TypeVar("T")


@contextmanager
def asking(*, quiet: bool = False) -> Iterator[Ask]:
    """Give a function that asks for verbs, over one connection; how far a long one has come is shown meanwhile.

    Without a running router the verb is carried out in this process: what is only read by whoever may read the files,
    what is changed only by their owner (`appliance.control.identity.require_owner`).

    Parameters
    ----------
    quiet : bool
        Show nothing.

    Raises
    ------
    ControlError
        The verb was refused or did not work.
    """
    from appliance.control.rpc.client import Client, ControlError, DisconnectedError  # noqa: PLC0415 - not for `--help`

    with Client(root_folder()) as client, Meter() as meter:
        told: Callable[[Progress], None] = (lambda progress: None) if quiet else meter
        try:
            client.connect()
        except DisconnectedError:
            yield _here(told)
            return

        def ask(verb: Verb[Q, A], request: Q | None = None) -> A:
            try:
                return client.call(verb, request, progress=told)
            except DisconnectedError as error:
                advice = "it may have been done all the same: `mercure history events --type audit` tells"
                raise ControlError("failed", str(error), advice if verb.changes else "try again") from error

        yield ask


def ask(verb: Verb[Q, A], request: Q | None = None) -> A:
    """Ask for one verb."""
    with asking() as asked:
        return asked(verb, request)


def _here(told: Callable[[Progress], None]) -> Ask:
    """Carry verbs out in this process."""
    from appliance.control.registry import Asked, carry_out, find  # noqa: PLC0415
    from appliance.control.roles import Caller  # noqa: PLC0415

    def ask(verb: Verb[Q, A], request: Q | None = None) -> A:
        session = open_session()
        # No role to be asked here: the permissions of the files decide.
        asked = Asked(session, Caller(session.user, os.geteuid(), "admin"), told)
        answer: A = carry_out(asked, find(verb.name), request if request is not None else verb.request())
        return answer

    return ask


def each(items: Iterable[T], act: Callable[[T], bool]) -> int:
    """Do it one by one; what does not work is told, and the others are done all the same.

    Returns
    -------
    int
        The exit code: of the first that did not work.
    """
    from appliance.control.errors import ControlError  # noqa: PLC0415

    code = exit_codes.WELL
    for item in items:
        try:
            well = act(item)
        except ControlError as error:
            failure = Failure(error.text, error.advice, exit_codes.OF_KIND[error.kind])
            failure.show()
            code = code or failure.exit_code
        else:
            code = code or (exit_codes.WELL if well else exit_codes.FAILED)
    return code
