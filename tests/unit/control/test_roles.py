"""Who may what: every verb against every role, and the caller as the kernel knows it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from appliance.control import api
from appliance.control.api.base import ROLES, Role
from appliance.control.registry import MODULES, Asked, carries_out, carry_out, find, table
from appliance.control.roles import GROUPS, Peer, groups_of, identify
from appliance.control.rpc.client import Client, ControlError
from appliance.control.rpc.server import Server
from appliance.control.session import Session
from mercure.config import Root
from tests.support.control_server import AsRole, RawConnection, Served
from tests.support.tasks import events_of
from tests.unit.control.requests import REQUESTS

NEEDED: dict[str, Role] = {
    "status.get": "page",
    "alerts.list": "page",
    "alerts.acknowledge": "operator",
    "whoami": "page",
    "subscribe": "viewer",
    "queue.list": "viewer",
    "queue.show": "viewer",
    "queue.tags": "viewer",
    "queue.retry": "operator",
    "queue.hold": "operator",
    "queue.release": "operator",
    "queue.reroute": "operator",
    "queue.discard": "operator",
    "queue.undo": "operator",
    "queue.force_study": "operator",
    "keep.add": "operator",
    "keep.list": "viewer",
    "keep.remove": "operator",
    "quarantine.list": "viewer",
    "quarantine.show": "viewer",
    "quarantine.read_again": "operator",
    "quarantine.send": "admin",
    "quarantine.discard": "operator",
    "resend.plan": "operator",
    "resend.begin": "operator",
    "resend.list": "viewer",
    "resend.pause": "operator",
    "resend.resume": "operator",
    "resend.stop": "operator",
    "history.series": "viewer",
    "history.images": "viewer",
    "history.tasks": "viewer",
    "history.task": "viewer",
    "history.events": "viewer",
    "history.find": "viewer",
    "history.export": "viewer",
    "history.timeline": "viewer",
    "history.counters": "viewer",
    "senders.list": "viewer",
    "senders.show": "viewer",
    "senders.propose": "viewer",
    "senders.add_proposed": "admin",
    "senders.allow": "admin",
    "senders.switch": "admin",
    "senders.echo": "operator",
    "traffic.senders": "page",
    "traffic.rates": "page",
    "traffic.delays": "viewer",
    "traffic.disk": "viewer",
    "traffic.totals": "page",
    "traffic.days": "page",
    "traffic.refusals": "viewer",
    "exams.find": "page",
    "exams.list": "viewer",
    "exams.show": "viewer",
    "audit.list": "viewer",
    "receipt.make": "operator",
    "receipt.key": "operator",
    "notifications.list": "operator",
    "notifications.test": "operator",
    "notifications.retry": "operator",
    "notifications.discard": "operator",
    "rules.list": "viewer",
    "rules.check": "viewer",
    "rules.explain": "viewer",
    "rules.dry_run": "viewer",
    "rules.series": "viewer",
    "rules.save": "admin",
    "rules.save_one": "admin",
    "rules.delete": "admin",
    "rules.order": "admin",
    "targets.list": "page",
    "targets.echo": "operator",
    "targets.test_send": "operator",
    "targets.probe": "operator",
    "targets.known": "viewer",
    "targets.save": "admin",
    "targets.delete": "admin",
    "services.list": "viewer",
    "services.start": "admin",
    "services.stop": "admin",
    "services.restart": "admin",
    "services.scale": "admin",
    "services.log": "viewer",
    "config.show": "viewer",
    "config.page": "page",
    "config.revisions": "viewer",
    "config.compare": "viewer",
    "config.rollback": "admin",
    "config.save": "admin",
    "config.get": "viewer",
    "config.sections": "viewer",
    "config.section": "admin",
    "config.set": "admin",
    "config.entry": "admin",
    "tls.show": "viewer",
    "tls.request": "admin",
    "tls.install": "admin",
    "tls.pin": "admin",
    "modules.list": "page",
    "modules.check": "operator",
    "modules.save": "admin",
    "modules.switch": "admin",
    "modules.delete": "admin",
    "modules.test": "operator",
    "modules.steps": "viewer",
    "modules.log": "viewer",
    "modules.stop": "operator",
    "verify.run": "viewer",
    "compare.run": "operator",
    "backup.create": "admin",
    "backup.list": "viewer",
    "backup.check": "operator",
    "selftest.run": "operator",
    "jobs.list": "viewer",
    "jobs.join": "viewer",
}
"""Written down a second time on purpose: a verb that changes its role must be changed here too."""

VERBS = {verb.name: verb for verb in api.all_verbs()}


def test_every_verb_has_its_expected_role_and_one_function() -> None:
    assert {name: verb.role for name, verb in VERBS.items()} == NEEDED
    assert {name: bound.verb for name, bound in table().items()} == VERBS
    assert set(MODULES) == {name.partition(".")[0] for name in VERBS}
    assert set(REQUESTS) == set(VERBS)


def test_what_changes_something_is_never_for_viewers() -> None:
    assert not [verb.name for verb in VERBS.values() if verb.changes and verb.role in ("page", "viewer")]


@pytest.mark.parametrize("role", [None, *ROLES])
@pytest.mark.parametrize("name", sorted(VERBS))
def test_a_verb_is_refused_below_its_role_and_only_there(
    name: str, role: Role | None, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = find(name)
    ran: list[object] = []
    monkeypatch.setitem(vars(bound), "run", lambda asked, request: ran.append(request))
    needed = NEEDED[name]
    allowed = role is not None and ROLES.index(role) >= ROLES.index(needed)
    caller = identify(Peer(1, 4242, 4242), os.geteuid(), lambda uid: frozenset({GROUPS[role]} if role else ()))
    assert caller.role == role
    request = VERBS[name].request.model_construct()
    if allowed:
        carry_out(Asked(session, caller), bound, request)
        assert ran == [request]
        return
    with pytest.raises(ControlError) as refused:
        carry_out(Asked(session, caller), bound, request)
    assert (refused.value.kind, refused.value.role) == ("not-allowed", needed)
    assert f"mercure-{needed}" in refused.value.advice
    assert not ran


def test_a_verb_cannot_have_two_functions() -> None:
    table()
    with pytest.raises(ValueError, match="two functions"):
        carries_out(api.queue.LIST)(lambda asked, request: api.queue.Queue(total=0, entries=()))


def test_the_highest_group_counts() -> None:
    every = frozenset(GROUPS.values()) - {"mercure-page"}
    assert identify(Peer(1, 4242, 4242), os.geteuid(), lambda uid: every).role == "admin"
    assert identify(Peer(1, 4242, 4242), os.geteuid(), lambda uid: every - {"mercure-admin"}).role == "operator"
    assert identify(Peer(1, 4242, 4242), os.geteuid(), lambda uid: frozenset({"wheel"})).role is None


@pytest.mark.parametrize("also", [(), ("mercure-viewer",), ("mercure-viewer", "mercure-operator", "mercure-admin")])
def test_the_status_page_is_never_more_than_the_page(also: tuple[str, ...]) -> None:
    caller = identify(Peer(1, 4242, 4242), os.geteuid(), lambda uid: frozenset({"mercure-page", *also}))
    assert caller.role == "page"


def test_the_status_page_sees_no_name_no_rule_and_no_log() -> None:
    assert {name for name, needed in NEEDED.items() if needed == "page"} == {
        "alerts.list",
        "config.page",
        "exams.find",
        "modules.list",
        "status.get",
        "targets.list",
        "traffic.days",
        "traffic.rates",
        "traffic.senders",
        "traffic.totals",
        "whoami",
    }


def test_root_and_the_owner_need_no_group() -> None:
    assert identify(Peer(1, 0, 0), 4242, lambda uid: frozenset()).role == "admin"
    assert identify(Peer(1, 4242, 0), 4242, lambda uid: frozenset()).role == "admin"


def test_groups_come_from_the_system() -> None:
    assert groups_of(os.getuid()) <= set(GROUPS.values())
    assert groups_of(4_000_000_000) == frozenset()


ANOTHER = 65534
CHILD = """
import os, sys
from pathlib import Path
from appliance.control.rpc.client import Client, ControlError, api
api.all_verbs()  # imported while whose Python this is may still be read
os.setgroups([]); os.setgid({uid}); os.setuid({uid})
with Client(Path({root!r})) as client:
    print(client.whoami().model_dump_json())
    try:
        client.call(api.targets.DELETE, api.targets.DeleteTarget(name="delivered", edited_from=1))
    except ControlError as error:
        print(error.kind, error.role)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    ("group", "role"), [("mercure-page", "page"), ("mercure-viewer", "viewer"), ("mercure-operator", "operator")]
)
def test_another_user_is_known_by_the_kernel(served: Served, session: Session, group: str, role: str) -> None:
    served.groups = frozenset({group})
    code = CHILD.format(uid=ANOTHER, root=str(served.root))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    who = api.status.WhoAmI.model_validate_json(done.stdout.splitlines()[0])
    assert (who.uid, who.role) == (ANOTHER, role)
    assert set(who.verbs) == {
        name for name, needed in NEEDED.items() if ROLES.index(needed) <= ROLES.index(who.role or "viewer")
    }
    assert done.stdout.splitlines()[1] == "not-allowed admin"
    assert not events_of(session)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_user_whom_the_file_keeps_out_is_told_which_group_he_needs(served: Served) -> None:
    served.server.path.chmod(0o660)
    code = CHILD.format(uid=ANOTHER, root=str(served.root))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "mercure-viewer" in done.stderr


def test_the_socket_is_for_owner_and_group(root: Root) -> None:
    server = Server(root)
    server.open()
    assert server.path.stat().st_mode & 0o777 == 0o660
    server.close()
    assert not server.path.exists()


def test_a_viewer_is_told_what_he_may_not(client: Client, as_role: AsRole, session: Session) -> None:
    as_role("viewer")
    before = session.store.mercure.path.read_bytes()
    with pytest.raises(ControlError, match="needs the role operator, and bob is viewer"):
        client.call(api.queue.HOLD, api.queue.ChangeTask(task="12345678"))
    with pytest.raises(ControlError, match="needs the role admin"):
        client.call(api.configuration.SAVE, api.configuration.SaveConfig(content={}, edited_from=1))
    assert session.store.mercure.path.read_bytes() == before
    assert not events_of(session)


def test_without_a_role_nothing_is_told(client: Client, as_role: AsRole) -> None:
    as_role(None)
    with pytest.raises(ControlError, match="has no role here"):
        client.whoami()
    with pytest.raises(ControlError, match="has no role here"):
        client.call(api.queue.LIST)


def test_without_a_role_there_is_no_stream(as_role: AsRole, served: Served) -> None:
    as_role(None)
    connection = RawConnection(served.root)
    connection.send(b'{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"topics":["events"]}}\n')
    line = connection.read()
    assert line is not None
    assert b"not-allowed" in line
    assert connection.read() is None
    connection.close()
