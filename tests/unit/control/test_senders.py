"""Senders: who is listed and who came, entries that are proposed, and what a person does about one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appliance.control.alerts.conditions import alerts_of
from appliance.control.alerts.inputs import Signals, silences
from appliance.control.api import configuration
from appliance.control.api import senders as api
from appliance.control.errors import ControlError
from appliance.control.registry import find
from appliance.control.senders.actions import entry_name, proposed
from appliance.control.senders.news import SenderNews
from appliance.control.session import Session
from mercure.clock import Clock, ManualClock
from tests.support.control_session import record
from tests.support.recording_node import RecordingNode
from tests.support.sender_past import CT, ENHANCED_MR, EXPLICIT, MR, NOT_LISTED, came, refused
from tests.support.statuses import empty_status
from tests.support.tasks import events_of
from tests.support.verbs import asked

CT_ENTRY = {"ae_titles": ["CT1"], "addresses": ["10.0.0.7"]}


@pytest.fixture
def clock() -> Clock:
    return ManualClock(datetime(2026, 11, 30, 9, 30, tzinfo=UTC))


def run(session: Session, verb: Any, **wanted: Any) -> Any:
    bound = find(verb.name)
    return bound.run(asked(session), bound.verb.request(**wanted))


def fresh(session: Session) -> Session:
    return Session(session.root, session.user, clock=session.clock)


def configured(session: Session, **changes: Any) -> Session:
    """Save changes of the configuration, as a person does."""
    content = {"version": 1, **session.config.model_dump(mode="json", exclude_defaults=True), **changes}
    run(session, configuration.SAVE, content=content, edited_from=session.loaded.revision)
    return fresh(session)


def lines(session: Session, **wanted: Any) -> dict[str, api.SenderLine]:
    return {line.name: line for line in run(session, api.LIST, **wanted).senders}


def forward(session: Session, **time: float) -> None:
    assert isinstance(session.clock, ManualClock)
    session.clock.advance(timedelta(**time).total_seconds())


def test_who_came_without_an_entry_is_collected(session: Session) -> None:
    came(session, "CT1", "10.0.0.7", images=3)
    came(session, "CT1", "10.0.0.7", sop_class=MR)
    forward(session, hours=1)
    came(session, "ECHO", "10.0.0.8", images=0)
    found = lines(session)
    ct = found["CT1@10.0.0.7"]
    assert (ct.standing, ct.images, ct.images_today, ct.bytes_today) == ("unlisted", 4, 4, 4000)
    assert (ct.ae_titles, ct.addresses, ct.called_aets) == (("CT1",), ("10.0.0.7",), ("MERCURE",))
    assert ct.last_image == datetime(2026, 11, 30, 9, 30, tzinfo=UTC)
    assert found["ECHO@10.0.0.8"].last_image is None
    assert found["ECHO@10.0.0.8"].last == session.clock.now()
    detail = run(session, api.SHOW, name="CT1")
    assert {(it.kind, it.value) for it in detail.traits} == {
        ("called", "MERCURE"), ("class", CT), ("class", MR), ("syntax", EXPLICIT), ("implementation", "1.2.3"),
    }  # fmt: skip
    assert not any(it.new for it in detail.traits)
    assert [hour for hour, images in enumerate(detail.hours) if images] == [9]


def test_today_begins_at_midnight_where_the_site_is(session: Session) -> None:
    came(session, "CT1", "10.0.0.7")
    forward(session, hours=14, minutes=0)  # 23:30 of UTC is half past midnight in Berlin
    assert lines(session)["CT1@10.0.0.7"].images_today == 1
    session = configured(session, site={"timezone": "Europe/Berlin"})
    assert lines(session)["CT1@10.0.0.7"].images_today == 0
    detail = run(session, api.SHOW, name="CT1")
    assert [hour for hour, images in enumerate(detail.hours) if images] == [10]


def test_what_is_new_after_a_week_is_said_for_a_month(session: Session) -> None:
    came(session, "MR1", "10.0.0.9", sop_class=MR, version="A1")
    forward(session, days=3)
    came(session, "MR1", "10.0.0.9", sop_class=CT, version="A1")
    assert lines(session)["MR1@10.0.0.9"].changed == ()
    forward(session, days=5)
    came(session, "MR1", "10.0.0.9", sop_class=ENHANCED_MR, version="B2")
    changed = {(it.kind, it.value) for it in lines(session)["MR1@10.0.0.9"].changed}
    assert changed == {("class", ENHANCED_MR), ("version", "B2")}
    forward(session, days=31)
    assert lines(session)["MR1@10.0.0.9"].changed == ()


def test_who_would_be_refused_is_said_before_the_switch(session: Session) -> None:
    came(session, "OLD", "10.0.0.5")
    forward(session, days=20)
    came(session, "CT1", "10.0.0.7")
    came(session, "MR1", "10.0.0.9")
    session = configured(session, senders={"ct": {"ae_titles": ["CT1"]}})
    found = run(session, api.LIST)
    assert (found.access, [line.name for line in found.losing]) == ("open", ["MR1@10.0.0.9"])
    assert [line.name for line in run(session, api.LIST, days=30).losing] == ["MR1@10.0.0.9", "OLD@10.0.0.5"]
    session = configured(session, receiver={"access": "listed"})
    found = run(session, api.LIST)
    assert not found.losing
    assert {line.name: line.standing for line in found.senders}["MR1@10.0.0.9"] == "refused"


def test_the_proposal_lets_all_in_who_came(session: Session) -> None:
    for title, address in (
        ("CT1", "10.0.0.7"),
        ("CT1", "::ffff:10.0.0.8"),
        ("ct1", "fd00::1"),
        ("Röntgen", "10.0.0.3"),
    ):
        came(session, title, address)
    proposal = run(session, api.PROPOSE)
    assert proposal.senders == {
        "ct1": {"ae_titles": ["CT1"], "addresses": ["10.0.0.7"]},
        "ct1-2": {"ae_titles": ["CT1"], "addresses": ["10.0.0.8"]},
        "r-ntgen": {
            "addresses": ["10.0.0.3"],
            "comment": "the AE title 'Röntgen' is none of DICOM: known by its address",
        },
        "ct1-3": {"ae_titles": ["ct1"], "addresses": ["fd00::1"]},
    }
    saved = run(session, api.ADD_PROPOSED, edited_from=proposal.revision, comment="learned")
    session = fresh(session)
    assert session.loaded.revision == saved.revision
    assert set(lines(session)) == set(proposal.senders)
    assert not run(session, api.LIST).losing
    assert run(session, api.PROPOSE).senders == {}
    audit = [event for event in events_of(session) if event.type == "audit"][-1]
    assert (audit.details["by"], audit.details["verb"]) == ("alice", "senders.add_proposed")
    with pytest.raises(ControlError, match="nobody without an entry"):
        run(session, api.ADD_PROPOSED, edited_from=saved.revision)


def test_a_refused_sender_is_let_in_by_one_command(session: Session) -> None:
    session = configured(session, senders={"ct": CT_ENTRY}, receiver={"access": "listed"})
    refused(session, "US1", "10.0.0.20")
    refused(session, "", "10.0.0.99", "not a DICOM association request: bytes")
    found = lines(session)
    assert set(found) == {"ct", "US1@10.0.0.20"}
    us = found["US1@10.0.0.20"]
    assert (us.standing, us.refused, us.refusal) == ("refused", 3, NOT_LISTED)
    run(session, api.ALLOW, name="US1", edited_from=session.loaded.revision)
    session = fresh(session)
    assert session.config.senders["us1"].model_dump(exclude_defaults=True) == {
        "ae_titles": ("US1",), "addresses": ("10.0.0.20",),
    }  # fmt: skip
    assert lines(session)["us1"].standing == "listed"


def test_a_scanner_with_a_new_address_can_join_its_entry(session: Session) -> None:
    session = configured(session, senders={"ct": CT_ENTRY}, receiver={"access": "listed"})
    refused(session, "CT1", "10.0.0.8", "the calling AE title is not listed with this address")
    run(session, api.ALLOW, name="CT1@10.0.0.8", into="ct", edited_from=session.loaded.revision)
    assert fresh(session).config.senders["ct"].addresses == ("10.0.0.7", "10.0.0.8")


def test_what_keeps_an_entry_out_is_taken_from_it(session: Session) -> None:
    table = {"ct": {"ae_titles": ["CT1"], "called_aets": ["ROUTER"]}, "us": {"ae_titles": ["US1"], "disabled": True}}
    session = configured(session, senders=table)
    refused(session, "CT1", "10.0.0.7", "the called AE title is none by which the sender ct may call")
    for name in ("ct", "us"):
        run(session, api.ALLOW, name=name, edited_from=session.loaded.revision)
        session = fresh(session)
    assert session.config.senders["ct"].called_aets == ("ROUTER", "MERCURE")
    assert not session.config.senders["us"].disabled
    with pytest.raises(ControlError, match="may send already"):
        run(session, api.ALLOW, name="ct", edited_from=session.loaded.revision)


def test_a_sender_is_disabled_and_enabled(session: Session) -> None:
    came(session, "CT1", "10.0.0.7")
    for enabled, standing in ((False, "disabled"), (True, "listed")):
        run(session, api.SWITCH, name="CT1", enabled=enabled, edited_from=session.loaded.revision)
        session = fresh(session)
        assert lines(session)["ct1"].standing == standing


def test_of_two_who_change_the_table_the_second_is_told(session: Session) -> None:
    came(session, "CT1", "10.0.0.7")
    came(session, "MR1", "10.0.0.9")
    other, revision = fresh(session), session.loaded.revision
    run(session, api.ALLOW, name="CT1", edited_from=revision)
    with pytest.raises(ControlError, match="changed by alice") as caught:
        run(fresh(other), api.ALLOW, name="MR1", edited_from=revision)
    assert caught.value.kind == "stale"
    assert [item.place for item in caught.value.difference] == ["senders"]
    with pytest.raises(ControlError, match="changed by alice"):
        run(other, api.SWITCH, name="MR1", enabled=False, edited_from=revision)
    run(fresh(session), api.ALLOW, name="MR1", edited_from=fresh(session).loaded.revision)
    assert set(fresh(session).config.senders) == {"ct1", "mr1"}


@pytest.mark.parametrize(
    ("name", "message"),
    [("CT9", "there is no sender 'CT9'"), ("CT1", "several senders have the AE title 'CT1'")],
)
def test_a_name_that_means_none_or_several_is_refused(session: Session, name: str, message: str) -> None:
    came(session, "CT1", "10.0.0.7")
    came(session, "CT1", "10.0.0.8")
    with pytest.raises(ControlError, match=message):
        run(session, api.ALLOW, name=name, edited_from=session.loaded.revision)
    assert lines(session)["CT1@10.0.0.7"].standing == "unlisted"


def test_a_sender_answers_an_echo(session: Session) -> None:
    node = RecordingNode()
    came(session, "CT1", "127.0.0.1")
    session = configured(session, senders={"ct": {"ae_titles": ["CT1"], "port": node.port}})
    node.come()
    try:
        answer = run(session, api.ECHO, name="CT1")
    finally:
        node.go()
    assert (answer.ok, answer.host, answer.port) == (True, "127.0.0.1", node.port)
    assert not run(session, api.ECHO, name="ct").ok


@pytest.mark.parametrize(
    ("title", "address", "name"),
    [
        ("CT1", "10.0.0.7", "ct1-2"),
        ("  A b ", "10.0.0.7", "a-b"),
        ("Ö", "10.0.0.7", "10.0.0.7"),
        ("", "fd00::1", "fd00-1"),
        ("@", "", "sender"),
    ],
)
def test_an_entry_has_a_name_of_its_own(title: str, address: str, name: str) -> None:
    assert entry_name(title, address, {"ct1"}) == name


def test_an_address_without_a_title_is_no_entry_beside_one_with() -> None:
    entries, skipped = proposed([("CT1", "10.0.0.7"), ("", "10.0.0.7"), ("", "10.0.0.8"), ("", "nowhere")], ())
    assert entries["ct1"] == {"ae_titles": ["CT1"], "addresses": ["10.0.0.7"]}
    assert entries["10.0.0.8"]["addresses"] == ["10.0.0.8"]
    assert set(skipped) == {"@10.0.0.7", "@nowhere"}


def test_the_change_itself_says_which_senders_it_loses(session: Session) -> None:
    came(session, "CT1", "10.0.0.7")
    came(session, "MR1", "10.0.0.9")
    content = {
        "version": 1,
        **session.config.model_dump(mode="json", exclude_defaults=True),
        "receiver": {"access": "listed"},
        "senders": {"ct": CT_ENTRY},
    }
    for check_only in (True, False):
        wanted = {"content": content, "edited_from": session.loaded.revision, "check_only": check_only}
        saved = run(fresh(session), configuration.SAVE, **wanted)
        assert saved.warnings == ("it refuses 1 sender of the last 14 days: MR1@10.0.0.9",)
    session = fresh(session)
    saved = run(session, api.SWITCH, name="ct", enabled=True, edited_from=session.loaded.revision)
    assert saved.warnings == ()
    moved = {"senders": {"ct": {"ae_titles": ["CT1"], "addresses": ["10.0.0.8"]}}}
    session = fresh(session)
    saved = run(session, configuration.SAVE, content=content | moved, edited_from=session.loaded.revision)
    assert saved.warnings == ("it refuses 1 sender of the last 14 days: CT1@10.0.0.7",)


def test_a_change_is_told_once(session: Session) -> None:
    news = SenderNews()

    def look() -> list[tuple[str, str, str]]:
        forward(session, seconds=301)
        news.look(fresh(session))
        events = [event.details for event in events_of(session) if event.type == "sender.changed"]
        record(session)
        return [(it["sender"], it["kind"], it["value"]) for it in events]

    came(session, "MR1", "10.0.0.9", sop_class=MR, version="A1")
    assert look() == []
    forward(session, days=8)
    came(session, "MR1", "10.0.0.9", sop_class=MR, version="A1")
    assert look() == []
    came(session, "MR1", "10.0.0.9", sop_class=ENHANCED_MR, version="B2")
    assert sorted(look()) == [("MR1@10.0.0.9", "class", ENHANCED_MR), ("MR1@10.0.0.9", "version", "B2")]
    came(session, "MR1", "10.0.0.9", sop_class=ENHANCED_MR, version="B2")
    assert look() == []
    SenderNews().look(fresh(session))  # as a control service does that began anew
    assert [event for event in events_of(session) if event.type == "sender.changed"] == []


def test_what_was_new_before_anybody_looked_is_no_news(session: Session) -> None:
    came(session, "MR1", "10.0.0.9", sop_class=MR)
    forward(session, days=8)
    came(session, "MR1", "10.0.0.9", sop_class=ENHANCED_MR)
    SenderNews().look(fresh(session))
    assert [event for event in events_of(session) if event.type == "sender.changed"] == []


def test_a_silence_of_its_own_counts_over_all_machines_of_a_sender(session: Session) -> None:
    came(session, "CT1", "10.0.0.7", at=session.clock.now() - timedelta(hours=30))
    came(session, "CT1", "10.0.0.8", at=session.clock.now() - timedelta(hours=3))

    def silent(silence: dict[str, object] | None, **alert: object) -> list[tuple[str, str]]:
        entry = {"ae_titles": ["CT1"], "contact": "Ward 3", **({"silence": silence} if silence is not None else {})}
        changed = configured(fresh(session), senders={"ct": entry}, alerts={"silence": alert})
        return [(found.sender, found.contact) for found in silences(changed)]

    by_machine = {"senders": {"CT1": {"seconds": 24 * 3600}}}
    assert silent(None) == [], "it has no habit yet"
    assert silent({"seconds": 24 * 3600}) == []
    assert silent({"seconds": 3600}) == [("ct", "Ward 3")]
    assert silent(None, **by_machine) == [("CT1@10.0.0.7", "Ward 3")]
    assert silent({"seconds": 3600}, **by_machine) == [("ct", "Ward 3")]
    assert silent({"enabled": False}, **by_machine) == []


def test_the_alert_of_a_silence_says_whom_to_ask(session: Session) -> None:
    came(session, "CT1", "10.0.0.7", at=session.clock.now() - timedelta(hours=30))
    entry = {"ae_titles": ["CT1"], "contact": "Ward 3", "silence": {"seconds": 3600}}
    changed = configured(session, senders={"ct": entry})
    (alert,) = alerts_of(empty_status(), Signals(silences=silences(changed))).alerts
    assert (alert.kind, alert.object) == ("silence", "ct")
    assert "or ask Ward 3" in alert.advice
    assert "`silence` of its entry" in alert.advice
