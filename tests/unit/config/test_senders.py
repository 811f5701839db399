"""What counts as one sender: by AE title, address or network; and what nobody could tell apart is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mercure.config import Config, ConfigError, Root, Sender
from mercure.services.common import open_store

CT = {"ae_titles": ["CT1", "CT1_B"], "addresses": ["10.0.3.17", "10.0.4.0/24", "fd00::/64"]}


def parse(senders: dict[str, Any]) -> Config:
    return open_store(Root(Path("/nowhere"))).parse({"version": 1, "senders": senders})


@pytest.mark.parametrize(
    ("calling", "address", "sender"),
    [
        ("CT1", "10.0.3.17", "ct"),
        (" CT1 ", "10.0.3.17", "ct"),
        ("CT1_B\0", "10.0.4.200", "ct"),
        ("CT1", "::ffff:10.0.3.17", "ct"),
        ("CT1", "fd00::9", "ct"),
        ("CT1", "10.0.3.18", "CT1@10.0.3.18"),
        ("ct1", "10.0.3.17", "ct1@10.0.3.17"),
        ("CT 1", "10.0.3.17", "CT 1@10.0.3.17"),
        ("CT1", "", "CT1@"),
        ("", "10.0.3.17", "@10.0.3.17"),
        ("CT2 ", "::ffff:10.0.3.18", "CT2@10.0.3.18"),
        ("CT2", "FD00:0::0009", "CT2@fd00::9"),
        ("US7", "192.168.1.1", "us"),
        ("US7", "", "us"),
    ],
)
def test_a_sender_is_named_by_its_entry_or_by_its_title_and_address(calling: str, address: str, sender: str) -> None:
    config = parse({"ct": CT, "us": {"ae_titles": ["US7"]}})
    assert config.sender_of(calling, address) == sender


@pytest.mark.parametrize("calling", ["CT1", ""])
def test_a_network_alone_is_a_sender_whatever_the_title(calling: str) -> None:
    config = parse({"lab": {"addresses": ["172.16.0.0/12"]}})
    assert config.sender_of(calling, "172.16.0.9") == "lab"
    assert config.sender_of(calling, "172.32.0.9") == f"{calling}@172.32.0.9"
    assert config.sender_of(calling, "") == f"{calling}@"


@pytest.mark.parametrize(
    "other",
    [
        {"ae_titles": ["CT1"]},
        {"addresses": ["10.0.3.17"]},
        {"addresses": ["10.0.0.0/8"]},
        {"ae_titles": [" CT1 "], "addresses": ["10.0.4.9"]},
        {"ae_titles": ["X", "CT1_B"], "addresses": ["10.9.9.9", "10.0.4.0/25"]},
        {"ae_titles": ["CT1"], "addresses": ["fd00::1"]},
        {"ae_titles": ["CT1"], "addresses": ["::/0"]},
    ],
)
def test_two_that_could_both_be_meant_are_refused(other: dict[str, Any]) -> None:
    for senders in ({"ct": CT, "other": other}, {"other": other, "ct": CT}):
        with pytest.raises(ConfigError) as caught:
            parse(senders)
        (problem,) = caught.value.problems
        assert problem.place == f"senders.{list(senders)[1]}"
        assert repr(next(iter(senders))) in problem.text


@pytest.mark.parametrize(
    "other",
    [
        {"ae_titles": ["CT2"]},
        {"ae_titles": ["ct1"]},
        {"ae_titles": ["CT1"], "addresses": ["10.0.3.18"]},
        {"ae_titles": ["CT2"], "addresses": ["10.0.3.17"]},
        {"addresses": ["10.0.5.0/24", "fd00:1::/64"]},
    ],
)
def test_what_cannot_be_confused_stands_side_by_side(other: dict[str, Any]) -> None:
    assert set(parse({"ct": CT, "other": other}).senders) == {"ct", "other"}


@pytest.mark.parametrize("senders", [{}, {"ct": {"ae_titles": ["CT1"], "disabled": True}}])
def test_a_list_that_lets_nobody_in_is_refused(senders: dict[str, Any]) -> None:
    parse(senders)
    with pytest.raises(ConfigError, match="would reject everybody"):
        open_store(Root(Path("/nowhere"))).parse({"receiver": {"access": "listed"}, "senders": senders})


def test_who_may_send_from_anywhere_is_known() -> None:
    table = {"ct": {"ae_titles": ["CT1"]}}
    for access, bind, is_open in (
        ("open", "0.0.0.0", True),  # noqa: S104
        ("learn", "::", True),
        ("listed", "::", False),
        ("open", "127.0.0.1", False),
        ("open", "::1", False),
        ("open", "localhost", True),
    ):
        config = Config.model_validate({"receiver": {"access": access, "bind": bind}, "senders": table})
        assert config.is_open_to_all == is_open


@pytest.mark.parametrize("title", ["C\u00c4", "", " ", "x" * 17, "A\\B", "A\n"])
def test_what_is_no_ae_title_is_none_of_a_sender(title: str) -> None:
    for key in ("ae_titles", "called_aets"):
        with pytest.raises(ConfigError, match="AE title"):
            parse({"ct": {"addresses": ["10.0.0.7"], key: [title]}})


@pytest.mark.parametrize(
    "terms", ["ISO_IR 100", "GB18030", "ISO_IR 192", "\\ISO 2022 IR 87", "ISO 2022 IR 6\\ISO 2022 IR 149", ""]
)
def test_a_character_set_is_a_defined_term(terms: str) -> None:
    config = Config.model_validate({"receiver": {"character_set": terms}})
    assert config.character_set_of("CT1", "10.0.0.7") == terms


@pytest.mark.parametrize(
    "terms", ["latin1", "ISO_IR 87", "ISO_IR 100\\ISO_IR 144", "\\", "ISO_IR 192\\ISO 2022 IR 87", " "]
)
def test_another_word_for_one_is_none(terms: str) -> None:
    with pytest.raises(ValidationError, match="Specific Character Set"):
        Config.model_validate({"receiver": {"character_set": terms}})


def test_the_first_sender_that_matches_has_the_character_set() -> None:
    senders = {"old": {"ae_titles": ["CT1"], "character_set": "ISO_IR 144"}, "net": {"addresses": ["10.0.0.0/8"]}}
    config = Config.model_validate({"receiver": {"character_set": "ISO_IR 100"}, "senders": senders})
    found = [config.character_set_of(*who) for who in (("CT1 ", "10.0.0.7"), ("MR1", "10.0.0.7"), ("MR1", "192.0.2.1"))]
    assert found == ["ISO_IR 144", "ISO_IR 100", "ISO_IR 100"]


@pytest.mark.parametrize("written", ["::ffff:10.0.3.17", "::ffff:10.0.3.0/120"])
def test_an_address_of_ipv4_is_the_same_when_it_is_written_as_one_of_ipv6(written: str) -> None:
    sender = Sender(addresses=(written,))
    assert sender.matches("X", "10.0.3.17")
    assert sender.matches("X", "::ffff:10.0.3.17")
    assert not sender.matches("X", "10.0.4.17")
    with pytest.raises(ConfigError, match="could be of 'ct' too"):
        parse({"ct": CT, "other": {"addresses": [written]}})
