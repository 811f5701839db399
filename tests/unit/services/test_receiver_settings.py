"""The settings of ``mercure-storescp`` and of ``mercure.json``: none exists on one side alone, or with other bounds."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import BaseModel, ValidationError

from mercure.config import Config, Receiver
from mercure.config.alerts import SenderSilence
from mercure.config.completion import CompletionTimes
from mercure.config.senders import Sender
from mercure.dicom.receiver_program import receiver_settings
from tests.support.binaries import PROJECT, tool

Schema = dict[str, Any]

ONLY_IN_THE_PROGRAM: Final = {
    "spool": "written by the service: it belongs to the whole router",
    "senders": "written by the service from `senders` of mercure.json; compared below",
    "revision": "written by the service: the number of the configuration",
    "log_level": "for a receiver that is run by hand; no service of the router has a level of its own",
}
OF_A_SENDER_IN_THE_PROGRAM: Final = {"name"}
"""In mercure.json it is the key of the entry."""
OF_A_SENDER_FOR_OTHERS: Final = {"comment", "completion", "contact", "port", "silence"}
"""For people, for the echo back, for the router and for alerts."""
WORDS: Final = ("title", "description")
"""What of a schema is for people."""


@pytest.fixture(scope="module")
def program() -> Schema:
    """Return what ``--print-settings`` says of each setting."""
    printed = subprocess.run(
        [tool("mercure-storescp"), "--print-settings"], check=True, capture_output=True, timeout=30
    )
    schema = json.loads(printed.stdout)
    assert schema["required"] == ["spool"]
    properties = schema["properties"]
    assert isinstance(properties, dict)
    return properties


def settings_of(model: type[BaseModel]) -> Schema:
    """Return the same of a model. The service leaves out what is absent, so the program need not know of null."""
    return {name: _plain(schema) for name, schema in model.model_json_schema()["properties"].items()}


def _plain(schema: Schema) -> Schema:
    plain = {key: value for key, value in schema.items() if key not in WORDS}
    if "anyOf" in plain:
        (plain,) = [one for one in plain["anyOf"] if one != {"type": "null"}]
    return plain


def refused(settings: Schema, folder: Path) -> set[str]:
    """Return the settings about which the program complains."""
    file = folder / "receiver.json"
    file.write_text(json.dumps({"spool": "/spool", **settings}))
    checked = subprocess.run([tool("mercure-storescp"), "--check", file], check=False, capture_output=True, timeout=30)
    if checked.returncode == 0:
        return set()
    reason = json.loads(checked.stderr)["reason"]
    return set(re.findall(r"(?:^\S+: |; )(\w+): ", reason))


def test_names_ranges_and_defaults_are_the_same(program: Schema) -> None:
    assert {name: schema for name, schema in program.items() if name not in ONLY_IN_THE_PROGRAM} == settings_of(
        Receiver
    )


def test_those_of_a_sender_too(program: Schema) -> None:
    its, ours = program["senders"]["items"]["properties"], settings_of(Sender)
    assert set(its) - set(ours) == OF_A_SENDER_IN_THE_PROGRAM
    assert set(ours) - set(its) == OF_A_SENDER_FOR_OTHERS
    assert {name: its[name] for name in set(its) & set(ours)} == {name: ours[name] for name in set(its) & set(ours)}


def test_no_exception_is_out_of_date(program: Schema) -> None:
    assert set(ONLY_IN_THE_PROGRAM) <= set(program)
    assert not set(ONLY_IN_THE_PROGRAM) & set(Receiver.model_fields)


def test_the_program_reads_what_the_service_writes(tmp_path: Path) -> None:
    names: dict[str, Any] = {"ae_titles": ("CT1",), "addresses": ("10.0.0.0/8", "::1")}
    sender = Sender(
        **names,
        called_aets=("MERCURE",),
        disabled=True,
        max_associations=2,
        max_images_per_second=30,
        max_bytes_per_day=10**12,
        transfer_syntaxes="uncompressed",
        character_set="ISO_IR 100",
        comment="of the ward",
        contact="4711",
        port=104,
        completion=CompletionTimes(after_release_seconds=9),
        silence=SenderSilence(seconds=3600),
    )
    for config in (Config(), Config(senders={"ct": sender, "any": Sender(ae_titles=("MR",))})):
        assert refused(receiver_settings(config, Path("/spool")), tmp_path) == set()


def test_bounds_are_inside_and_what_is_beyond_is_refused(program: Schema, tmp_path: Path) -> None:
    numbers = {name: schema for name, schema in settings_of(Receiver).items() if "maximum" in schema}
    least = {name: schema.get("minimum", 0.001) for name, schema in numbers.items()}
    most = {name: schema["maximum"] for name, schema in numbers.items()}
    below = {name: schema.get("minimum", 1) - 1 for name, schema in numbers.items()}
    above = {name: value + 1 for name, value in most.items()}
    for inside in (least, most):
        Receiver.model_validate(inside)
        assert refused(inside, tmp_path) == set()
    for outside in (below, above):
        with pytest.raises(ValidationError) as failed:
            Receiver.model_validate(outside)
        assert {str(error["loc"][0]) for error in failed.value.errors()} == set(numbers)
        assert refused(outside, tmp_path) == set(numbers)


@pytest.mark.parametrize(
    "title", ["", " ", "A", "A" * 16, "A" * 17, " A ", "A\\B", "A B", "\u00c4", "\n", "\x7f"], ids=ascii
)
def test_an_ae_title_is_one_for_both_or_for_none(title: str, tmp_path: Path) -> None:
    try:
        settings = receiver_settings(Config(receiver=Receiver(ae_title=title)), Path("/spool"))
    except ValidationError:
        assert refused({"ae_title": title}, tmp_path) == {"ae_title"}
    else:
        assert refused(settings, tmp_path) == set()


def test_the_manual_page_has_them_all(program: Schema) -> None:
    page = (PROJECT / "docs/reference/mercure-storescp.1.md").read_text()
    rows = dict(
        re.findall(
            r"^\| `(\w+)` \| (.+?) \|", page.partition("## Configuration")[2].partition("\n## ")[0], re.MULTILINE
        )
    )
    assert set(rows) == set(program)
    for name, default in rows.items():
        if name != "spool":
            assert json.loads(default.strip("`")) == program[name]["default"], name
