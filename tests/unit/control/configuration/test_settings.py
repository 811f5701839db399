"""Settings by their places: typed by the schema, with their meaning, and told when they count."""

from __future__ import annotations

import json
import os
import pwd
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.control.api.configuration import GetSettings, SetSettings
from appliance.control.configuration import edits, settings
from appliance.control.configuration.differences import differences
from appliance.control.configuration.effects import RENEWS, RESTART, services_of
from appliance.control.configuration.setting_paths import leaves, node_at
from appliance.control.errors import ControlError
from appliance.control.session import Session
from mercure.config import Loaded
from mercure.config.models import ServicesFile
from tests.support.tasks import events_of

CONTENT: dict[str, Any] = {
    "version": 1,
    "targets": {
        "a.b": {"kind": "dicom", "host": "h", "port": 104, "called_aet": "A"},
        "a": {"kind": "folder", "path": "/f"},
    },
    "modules": {"m": {"runner": "command", "image": "/bin/true", "settings": {"depth": 3}}},
    "notifications": {"channels": {"mail": {"kind": "email", "host": "h", "sender": "a@b", "recipients": ["c@d"]}}},
    "completion": {"senders": {"CT ONE": {"quiet_seconds": 5}}},
    "senders": {"ct": {"ae_titles": ["CT1"]}},
}


def put(settings_: dict[str, str]) -> dict[str, Any]:
    return settings.with_settings(settings_)(CONTENT)


def set_(session: Session, check_only: bool = False, **changes: str) -> Any:
    wanted = {place.replace("__", "."): text for place, text in changes.items()}
    request = SetSettings(settings=wanted, edited_from=session.loaded.revision, check_only=check_only)
    return settings.set_(session, request)


@pytest.mark.parametrize(
    ("place", "text", "where", "value"),
    [
        ("receiver.access", "learn", ("receiver", "access"), "learn"),
        ("receiver.called_aets", "CT ONE, ct2", ("receiver", "called_aets"), ["CT ONE", "ct2"]),
        ("receiver.called_aets", '["A"]', ("receiver", "called_aets"), ["A"]),
        ("retention.success_days", "14", ("retention", "success_seconds"), 14 * 86400),
        ("retention.success_seconds", "14d", ("retention", "success_seconds"), 14 * 86400),
        ("history.keep_days", "-", ("history", "keep_days"), None),
        ("off_peak.timezone", "Europe/Berlin", ("off_peak", "timezone"), "Europe/Berlin"),
        ("targets.a.b.port", "105", ("targets", "a.b", "port"), 105),
        ("targets.a.comment", "105", ("targets", "a", "comment"), "105"),
        ("targets.a.retry.cap_minutes", "2", ("targets", "a", "retry", "cap_seconds"), 120),
        ("modules.m.settings.depth", "4", ("modules", "m", "settings", "depth"), 4),
        ("modules.m.settings.a.b", "x y", ("modules", "m", "settings", "a.b"), "x y"),
        ("modules.m.environment.PORT", "80", ("modules", "m", "environment", "PORT"), "80"),
        ("modules.m.network", "yes", ("modules", "m", "network"), True),
        ("notifications.channels.mail.port", "25", ("notifications", "channels", "mail", "port"), 25),
        ("notifications.channels.mail.password", "file:/p", ("notifications", "channels", "mail", "password"),
         {"file": "/p"}),
        ("completion.senders.CT ONE.quiet_seconds", "9", ("completion", "senders", "CT ONE", "quiet_seconds"), 9),
        ("senders.ct.completion.quiet_seconds", "9", ("senders", "ct", "completion", "quiet_seconds"), 9),
        ("senders.ct.completion.expected_images.tag", "ImagesInAcquisition",
         ("senders", "ct", "completion", "expected_images", "tag"), "ImagesInAcquisition"),
        ("senders.ct.silence.seconds", "14400", ("senders", "ct", "silence", "seconds"), 14400),
        ("senders.ct.silence.enabled", "no", ("senders", "ct", "silence", "enabled"), False),
        ("senders.ct.transfer_syntaxes", "uncompressed", ("senders", "ct", "transfer_syntaxes"), "uncompressed"),
        ("senders.ct.contact", "Ward 3", ("senders", "ct", "contact"), "Ward 3"),
        ("receiver.proxies", "10.0.0.4, 2001:db8::4", ("receiver", "proxies"), ["10.0.0.4", "2001:db8::4"]),
        ("alerts.silence.factor", "2.5", ("alerts", "silence", "factor"), 2.5),
    ],
)  # fmt: skip
def test_a_setting_is_found_and_typed_by_the_schema(place: str, text: str, where: tuple[str, ...], value: Any) -> None:
    found: Any = put({place: text})
    for key in where:
        found = found[key]
    assert found == value
    assert type(found) in {type(value), float if isinstance(value, int) else type(value)}


@pytest.mark.parametrize(
    ("place", "text", "said"),
    [
        ("retension.success_seconds", "1", "did you mean 'retention'"),
        ("retention.succes_seconds", "1", "did you mean 'success_seconds'"),
        ("retention", "1", "no single setting"),
        ("targets", "1", "no single setting"),
        ("targets.a", "{}", "no single setting"),
        ("targets.nowhere.port", "1", "there is no 'nowhere' in targets"),
        ("receiver.port.low", "1", "receiver.port is a setting of its own"),
        ("receiver.port", "abc", "'abc' is not a whole number"),
        ("receiver.access", "opne", "is none of open, learn, listed"),
        ("", "1", "no single setting"),
        ("receiver..port", "1", "there is no setting 'receiver.'"),
    ],
)
def test_a_place_or_value_that_makes_no_sense_is_told(place: str, text: str, said: str) -> None:
    with pytest.raises(ControlError) as caught:
        put({place: text})
    assert said in f"{caught.value.text} {caught.value.advice}"


def test_an_empty_text_brings_the_default_back(session: Session) -> None:
    assert set_(session, retention__success_days="14").revision == 2
    saved = set_(Session(session.root, "bob", clock=session.clock), retention__success_seconds="")
    assert [(item.place, item.how) for item in saved.difference] == [("retention", "removed")]


def test_a_change_is_saved_under_the_name_of_the_person_and_audited(session: Session) -> None:
    set_(session, retention__success_days="14")
    saved = session.store.mercure.revision(2)
    assert saved.author == "alice"
    audit = events_of(session)[1].details
    assert (audit["verb"], audit["by"], audit["after"]) == (
        "config.set",
        "alice",
        {"retention": {"success_seconds": 1209600.0}},
    )


def test_what_is_only_looked_at_changes_nothing(session: Session) -> None:
    saved = set_(session, check_only=True, status_page__port="8081")
    assert (saved.revision, saved.restart) == (1, ("page",))
    assert session.store.mercure.revisions() == [1]
    assert not events_of(session)


def test_a_value_that_fits_its_type_and_not_the_whole_is_refused(session: Session) -> None:
    with pytest.raises(ControlError, match="'listed' without a sender would reject everybody") as caught:
        set_(session, receiver__access="listed")
    assert caught.value.kind == "invalid"
    assert session.store.mercure.revisions() == [1]


def test_two_people_change_the_same_section_and_the_second_is_told(session: Session) -> None:
    second = Session(session.root, "bob", clock=session.clock)
    assert second.loaded.revision == 1
    set_(session, retention__success_days="14")
    with pytest.raises(ControlError) as caught:
        set_(second, retention__success_days="10")
    assert (caught.value.kind, [item.place for item in caught.value.difference]) == (
        "stale",
        ["retention"],
    )
    assert "alice" in caught.value.text


def test_settings_are_told_with_meaning_default_and_when_they_count(session: Session) -> None:
    found = {item.place: item for item in settings.get(session, GetSettings(place="receiver")).settings}
    assert (found["receiver.port"].value, found["receiver.port"].renews) == (11112, "receiver")
    assert (found["receiver.access"].choices, found["receiver.access"].given) == (("open", "learn", "listed"), False)
    assert "TCP port" in found["receiver.port"].meaning
    one = settings.get(session, GetSettings(place="status_page.port")).settings
    assert [(item.place, item.restart) for item in one] == [("status_page.port", "page")]
    every = settings.get(session, GetSettings()).settings
    assert {"targets.delivered.path", "rules.everything.targets", "name"} <= {item.place for item in every}


def test_every_setting_that_a_service_reads_only_as_it_starts_is_one() -> None:
    for place, service in {**RESTART, **RENEWS}.items():
        assert node_at({}, place).field is not None
        assert service in {*ServicesFile.model_fields, "all services"}


def test_a_change_of_a_whole_section_is_one_of_all_in_it() -> None:
    before, after = {"receiver": {"port": 1}}, {"status_page": {"port": 8081}}
    changed = differences(before, after)
    assert services_of(RESTART, changed) == ("page",)
    assert services_of(RENEWS, changed) == ("receiver",)
    assert services_of(RENEWS, differences({"receiver": {"port": 1}}, {"receiver": {"port": 1, "max_pdu": 8192}})) == ()


def test_each_setting_below_a_place_is_told_once() -> None:
    names = [leaf.name for leaf in leaves(node_at(CONTENT, ""))]
    assert len(names) == len(set(names))
    assert "targets.a.b.retry.first_seconds" in names


def test_secrets_are_in_no_difference(session: Session) -> None:
    module = {"runner": "command", "image": "/bin/true", "environment": {"API_TOKEN": "hunter2", "LANG": "C"},
              "settings": {"password": "hunter2", "depth": 3}}  # fmt: skip
    content = session.config.model_dump(mode="json", exclude_defaults=True)
    shown = repr(differences(content, edits.with_entry("modules", "m", module)(content)))
    assert "hunter2" not in shown
    assert "'LANG': 'C'" in shown
    changed = edits.with_entry("modules", "m", {**module, "environment": {"API_TOKEN": "hunter3", "LANG": "C"}})(
        content
    )
    (one,) = differences(edits.with_entry("modules", "m", module)(content), changed)
    assert (one.place, one.before, one.after) == ("modules.m.environment.API_TOKEN", "(hidden)", "(hidden)")


def test_where_a_secret_is_may_be_told() -> None:
    (one,) = differences({"history": {"password": {"env": "A"}}}, {"history": {"password": {"file": "/b"}}})[:1]
    assert "(hidden)" not in repr(one)


def edit_by_hand(session: Session, owner: int | None) -> None:
    """Put a new file in the place of the old one, as most editors do."""
    path = session.store.mercure.path
    new = path.with_name("mercure.json.new")
    new.write_text(json.dumps({**json.loads(path.read_text()), "name": "ward"}))
    if owner is not None:
        os.chown(new, owner, -1)
    new.replace(path)


def test_a_hand_edit_of_the_routers_own_user_is_of_nobody_who_can_be_told(session: Session) -> None:
    edit_by_hand(session, None)
    set_(Session(session.root, "alice", clock=session.clock), retention__success_days="14")
    saved = session.store.mercure.revision(2)
    assert (saved.author, session.store.mercure.revision(3).author) == ("edited by hand", "alice")
    assert saved.comment.startswith("nobody can tell by whom")
    told = [(event.type, event.details["by"]) for event in events_of(session)]
    assert told == [("config.saved", "edited by hand"), ("audit", "edited by hand"),
                    ("config.saved", "alice"), ("audit", "alice")]  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_hand_edit_of_another_user_is_attributed_to_the_owner_of_the_file(session: Session) -> None:
    edit_by_hand(session, 1)
    set_(Session(session.root, "alice", clock=session.clock), retention__success_days="14")
    owner = pwd.getpwuid(1).pw_name
    assert session.store.mercure.revision(2).comment == f"by {owner}, to whom the file belongs since"
    (audit,) = [event.details for event in events_of(session) if event.details.get("verb") == "config.by_hand"]
    assert owner in audit["object"]
    assert audit["after"] == {"name": "ward"}


def test_a_hand_edit_is_told_once_however_often_a_change_is_refused_for_it(session: Session) -> None:
    edit_by_hand(session, None)
    wanted = SimpleNamespace(edited_from=1, comment="")
    edit = edits.with_entry("rules", "new", {"rule": "True", "targets": ["delivered"]})
    for _ in range(2):
        stale = Session(session.root, "alice", clock=session.clock)
        stale.loaded = Loaded(stale.config, 1, by_hand=True)
        with pytest.raises(ControlError):
            edits.apply(stale, "rules.save", "rules", edit, wanted)
    assert sum(event.type == "config.saved" for event in events_of(session)) == 1
