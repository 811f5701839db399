"""What is proposed for a node, and how what it takes is drawn: by what it said, and nothing is asked here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from appliance.control.targets.probe import proposals
from appliance.presentation.phrases import capabilities_in_words, matrix_of
from mercure.dicom.capabilities import AtOnce, Capabilities, storage_classes, transfer_syntaxes
from mercure.targets import DicomSettings

CT, SC = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
JPEG, JPEG_2000, RLE = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def said(**changes: Any) -> Capabilities:
    return Capabilities(
        **{
            "node": "dicom:pacs:104:PACS",
            "calling_aet": "MERCURE",
            "time": NOW,
            "echo": "answered",
            "echo_seconds": 0.01,
            "seconds": 0.02,
            "slowest_seconds": 0.05,
            "requests": 40,
            "max_pdu": 16384,
            "implementation": "1.2.3",
            "asked_classes": storage_classes(),
            "asked_syntaxes": transfer_syntaxes(),
            "classes": {CT: (IMPLICIT, EXPLICIT), SC: (IMPLICIT,)},
            **changes,
        }
    )


def settings(**changes: Any) -> DicomSettings:
    return DicomSettings(kind="dicom", host="pacs", port=104, called_aet="PACS", **changes)


def proposed(known: Capabilities, **changes: Any) -> dict[str, Any]:
    return {each.setting: each.proposed for each in proposals(settings(**changes), known)}


@pytest.mark.parametrize("policy", ["as-needed", "uncompressed", f"{EXPLICIT},{IMPLICIT}", f"{JPEG},{IMPLICIT}"])
def test_nothing_is_proposed_where_every_image_gets_through(policy: str) -> None:
    assert proposed(said(), transfer_syntaxes=policy) == {}


@pytest.mark.parametrize("policy", ["as-received", EXPLICIT, JPEG, JPEG_2000])
def test_images_that_would_be_refused_are_to_be_converted(policy: str) -> None:
    (proposal,) = proposals(settings(transfer_syntaxes=policy), said())
    assert (proposal.setting, proposal.proposed) == ("transfer_syntaxes", ["as-needed"])
    assert "Storage" in proposal.reason


def test_as_received_suits_a_node_that_takes_everything() -> None:
    known = said(classes=dict.fromkeys(storage_classes(), transfer_syntaxes()))
    assert proposed(known, transfer_syntaxes="as-received") == {}


def test_a_node_that_takes_compressed_images_alone_gets_them_compressed() -> None:
    known = said(classes={CT: (JPEG, JPEG_2000, RLE), SC: (EXPLICIT,)})
    value = [JPEG, JPEG_2000, RLE, EXPLICIT]
    assert proposed(known) == {"transfer_syntaxes": value}
    assert proposed(known, transfer_syntaxes=value) == {}, "and when it is accepted there is nothing left to propose"


def test_what_nothing_could_help_is_not_proposed() -> None:
    assert proposed(said(classes={CT: (JPEG,)})) == {}
    assert proposed(said(classes={})) == {}


@pytest.mark.parametrize(
    ("limit", "now", "value"),
    [
        (1, {}, {"concurrency": 1}),
        (1, {"concurrency": 4, "associations": 4}, {"concurrency": 1, "associations": 1}),
        (3, {"concurrency": 2, "associations": 4}, {"associations": 1}),
        (3, {"concurrency": 2, "associations": 1}, {}),
        (0, {"concurrency": 2}, {"concurrency": 1}),
    ],
)
def test_no_more_associations_than_it_has(limit: int, now: dict[str, int], value: dict[str, int]) -> None:
    refused = AtOnce(time=NOW, asked=4, accepted=limit, text="it has as many associations as it allows")
    assert proposed(said(at_once=refused), **now) == value
    assert proposed(said(at_once=refused), **{**now, **value}) == {}


def test_a_node_of_which_no_limit_was_seen_is_left_alone() -> None:
    assert proposed(said(at_once=AtOnce(time=NOW, asked=4, accepted=4)), concurrency=64) == {}
    assert proposed(said(at_once=None), concurrency=64) == {}


def test_a_slow_node_is_waited_for() -> None:
    assert proposed(said(slowest_seconds=12.4)) == {"acse_timeout_seconds": 38}
    assert proposed(said(slowest_seconds=9.9)) == {}


def test_equal_rows_and_columns_are_drawn_once_and_fit_on_80_columns() -> None:
    lines = [*matrix_of(said(), 80)]
    assert lines[0] == "12  SOP class"
    assert "xx  CT Image Storage" in lines
    assert "x-  Secondary Capture Image Storage" in lines
    assert next(line for line in lines if line.startswith("--")).startswith("--  Computed Radiography Image Storage")
    assert [line for line in lines if line.startswith(("1 ", "2 "))] == [
        "1  Implicit VR Little Endian",
        "2  Explicit VR Little Endian",
    ]
    assert max(map(len, lines)) <= 80


def test_a_matrix_without_an_equal_row_or_column_fits_too() -> None:
    syntaxes = transfer_syntaxes()
    classes = {sop_class: syntaxes[: 1 + place % len(syntaxes)] for place, sop_class in enumerate(storage_classes())}
    assert max(map(len, matrix_of(said(classes=classes), 80))) <= 80


def test_a_node_that_takes_nothing_has_no_matrix() -> None:
    assert [*matrix_of(said(classes={}), 80)] == []


def test_what_a_node_is_in_words() -> None:
    at_once = AtOnce(time=NOW, asked=4, accepted=1, text="why")
    words = dict(capabilities_in_words(said(at_once=at_once, max_pdu=0, echo="unsupported")))
    assert words["longest PDU"] == "any"
    assert words["at once"] == "1 of 4: why"
    assert words["echo"] == "unsupported"
    assert words["SOP classes"] == f"2 of {len(storage_classes())} taken"
