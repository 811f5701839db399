"""The reference page of the control API, made from its table of verbs: ``python -m appliance.cli.api_reference``."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import Final

import click
from pydantic import BaseModel

from appliance.cli.reference import link, models
from appliance.control import api
from appliance.control.api.base import AnyVerb, ErrorData, ProgressOf
from appliance.control.api.streams import ITEMS
from appliance.control.errors import MEANING
from appliance.control.roles import GROUPS
from appliance.control.rpc import jobs
from appliance.control.rpc.connection import Limits

_HEAD: Final = """\
# The control API

<!-- Made by `python -m appliance.cli.api_reference > docs/reference/control-api.md`; a test compares the two. -->

Everything that a person can do goes through the Unix socket `run/control.sock` in the root. It speaks JSON-RPC 2.0,
UTF-8, one object to a line:

    → {{"jsonrpc": "2.0", "id": 1, "method": "queue.hold", "params": {{"task": "0a1b2c3d", "reason": "the ward"}}}}
    ← {{"jsonrpc": "2.0", "id": 1, "result": {{"id": "20261121T…-0a1b2c3d", "verb": "hold", …}}}}
    ← {{"jsonrpc": "2.0", "id": 1, "error": {{"code": -32005, "message": "…", "data": {{"kind": "not-allowed", …}}}}}}

`params` is an object; what has a default may be left away, what is unknown is refused. Every request has an `id`, a
number or a text of at most 100 characters; lists of requests are not taken. Requests of one connection are answered
one after the other.

A long action (`long` in the tables below) sends notifications `progress` ([ProgressOf](#progressof)) before its answer:
the first at once, at most ten a second, one at least every {beat:g} s. It goes on when the connection is lost:
`jobs.join` with the `job` that its progress carried follows it to its end and gives what it came to, and `jobs.list`
names the {kept} that ended last. Both are forgotten when the control service ends; what was changed is in the audit.

Python programs use `appliance.control.rpc.client`: `Client(root).call(api.queue.HOLD, api.queue.ChangeTask(task=…))`,
`Stream(root, "events")`.

## Who may what

The kernel says who is at the other end. The role comes from the user's Unix groups, asked at each connection; each
role may do what those above it may. root and the user to whom the router belongs are admins without any group: they
could write its files anyway. `page` is no person: who is in its group may no more than the status page needs, whatever
other groups he is in. What they change is audited by the name of the login, so that sudo hides nobody.

| role | group |
| --- | --- |
{roles}

The socket has mode 0660 and, where it exists, the group `mercure-viewer`: operators and admins are in that group
too.

## Limits

| limit | value |
| --- | --- |
| connections | {limits.connections} in all, {limits.connections_of_one} of one user |
| of these for admins | {limits.connections_of_admins} |
| a request | {limits.request_bytes} bytes, 200 levels, whole within {limits.request_seconds:g} s of its first byte |
| between two requests | {limits.idle_seconds:g} s |
| an answer, an item | taken within {limits.send_seconds:g} s, or the connection is closed |
| long actions | {running} at the same time, {reserved} of them for admins |
| a stream | {limits.mailbox_bytes} bytes wait for its reader; one that is slower is dropped |

## Errors

`message` says what happened and where, `data` ([ErrorData](#errordata)) the kind and what to do next.

| code | kind | meaning |
| --- | --- | --- |
{errors}

## Changes of the configuration

A request that saves carries `edited_from`, the revision that the change was made from (`config.show`, `rules.list`,
`targets.list`, `services.list` tell it). If somebody saved meanwhile it is refused as `stale`, with what is
different since then. Every change is an `audit` event with who, verb, object, before and after; `audit.list` shows
them.

## Streams

After `subscribe` the connection belongs to the stream: notifications come until the client closes it. Types of
events that are not asked for by name leave out `image.received` and `metrics`. A stream shows what happens while it
happens; after a gap (a new connection), lists are the truth. When nothing happens a `heartbeat` comes every few
seconds.

| method | parameters |
| --- | --- |
{items}
"""


def page() -> str:
    """Return the reference page as Markdown."""
    head = _HEAD.format(
        roles="\n".join(f"| {role} | `{group}` |" for role, group in GROUPS.items()),
        limits=Limits(),
        beat=jobs.BEAT_SECONDS,
        kept=jobs.KEPT,
        running=jobs.RUNNING,
        reserved=jobs.RESERVED,
        errors="\n".join(f"| {code} | `{kind}` | {text} |" for kind, (code, text) in MEANING.items()),
        items="\n".join(f"| `{name}` | {link(model)} |" for name, model in ITEMS.items()),
    )
    verbs = api.all_verbs()
    described = [model for verb in verbs for model in (verb.request, verb.answer)]
    more: list[type[BaseModel]] = [ErrorData, ProgressOf, *ITEMS.values()]
    return "\n".join([head, *_verbs(verbs), *models([*described, *more], "Models")]).rstrip() + "\n"


def _verbs(verbs: Iterable[AnyVerb]) -> Iterator[str]:
    yield "## Verbs\n"
    for group in api.GROUPS:
        module = importlib.import_module(f"{api.__name__}.{group}")
        yield f"### {(module.__doc__ or group).strip()}\n"
        yield "| verb | role | request | answer | what it does |\n| --- | --- | --- | --- | --- |"
        for verb in verbs:
            if verb in vars(module).values():
                role = ", ".join([verb.role, *(["audited"] if verb.changes else []), *(["long"] if verb.long else [])])
                request, answer = _model(verb.request), _model(verb.answer)
                yield f"| `{verb.name}` | {role} | {request} | {answer} | {verb.text} |"
        yield ""


def _model(model: type[BaseModel]) -> str:
    if not model.model_fields:
        return "none"
    if model.__module__.startswith(("appliance.", "mercure.history.")):
        return link(model)
    return f"`{model.__name__}` of `{model.__module__}`"


if __name__ == "__main__":
    click.echo(page(), nl=False)
