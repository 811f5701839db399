"""What is wrong with a configuration is told whole, with its place and, where one can be guessed, a suggestion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercure.config import Config, ConfigError, ConfigProblem, ConfigStore, Root
from mercure.services.common import open_store
from tests.support.box import Box

FOLDER = {"kind": "folder", "path": "/x"}
DICOM = {"kind": "dicom", "host": "h", "port": 104, "called_aet": "PACS"}
RULE = {"rule": "True", "targets": ["archive"]}
MODULE = {"runner": "command", "image": "/usr/bin/true"}
GOOD: dict[str, Any] = {
    "version": 1,
    "targets": {"archive": FOLDER, "pacs": DICOM},
    "rules": {"mr": RULE},
}

# What is changed in GOOD, and the problem that this makes: place, part of the text, advice.
WRONG: list[tuple[dict[str, Any], str, str, str]] = [
    ({"target": {}}, "target", "unknown key", "did you mean 'targets'?"),
    ({"xyzzy": 1}, "xyzzy", "unknown key", ""),
    ({"history": {"tags": ["Manufacturor"]}}, "history.tags.0", "no DICOM keyword", "did you mean 'Manufacturer'?"),
    ({"history": {"tags": ["manufacturer"]}}, "history.tags.0", "no DICOM keyword", "did you mean 'Manufacturer'?"),
    ({"history": {"tags": ["Rows", "PatientBirthDate"]}}, "history.tags.1", "who somebody is", "leave it out"),
    ({"history": {"tags": ["OperatorsName"]}}, "history.tags.0", "who somebody is", "leave it out"),
    ({"history": {"tags": ["PatientID"]}}, "history.tags.0", "keeps PatientID of every series", "leave it out"),
    ({"history": {"tags": ["SenderAET"]}}, "history.tags.0", "no tag of an image", "leave it out"),
    ({"history": {"tags": ["ConceptCodeSequence"]}}, "history.tags.0", "no texts, numbers or dates", "leave it out"),
    ({"history": {"tags": ["PixelData"]}}, "history.tags.0", "no texts, numbers or dates", "leave it out"),
    ({"history": {"tags": ["0009,1001[ACME]"]}}, "history.tags.0", "no DICOM keyword", ""),
    ({"history": {"tags": ["Rows", "Rows"]}}, "history.tags.1", "twice", "once is enough"),
    ({"history": {"tags": ["Rows"], "indexed_tags": ["Columns"]}}, "history.indexed_tags.0", "not in", "add it there"),
    ({"history": {"tags": ["Rows"] * 41}}, "history.tags", "at most 40", ""),
    ({"[key]": 1}, "[key]", "unknown key", ""),
    ({"targets": {"a": {"kind": "folder", "path": "/a", "[key]": []}}}, "targets.a.[key]", "unknown key", ""),
    ({"receiver": {"[key]": {"[key]": 1}}}, "receiver.[key]", "unknown key", ""),
    (
        {"rules": {"mr": {**RULE, "prioritty": "urgent"}}},
        "rules.mr.prioritty",
        "unknown key",
        "did you mean 'priority'?",
    ),
    ({"receiver": {"prot": 11112}}, "receiver.prot", "unknown key", "did you mean 'port'?"),
    ({"completion": {"quiet": 3}}, "completion.quiet", "unknown key", "did you mean 'quiet_seconds'?"),
    ({"targets": {"archive": {**FOLDER, "pth": "x"}}}, "targets.archive.pth", "unknown key", "did you mean 'path'?"),
    (
        {"targets": {"archive": {**FOLDER, "retry": {"frist_seconds": 1}}}},
        "targets.archive.retry.frist_seconds",
        "unknown key",
        "did you mean 'first_seconds'?",
    ),
    (
        {"targets": {"archive": {"kind": "foldr"}}},
        "targets.archive.kind",
        "'foldr' is unknown",
        "did you mean 'folder'?",
    ),
    ({"targets": {"archive": {"path": "/x"}}}, "targets.archive.kind", "a target needs a 'kind'", "there are "),
    ({"targets": {"archive": 3}}, "targets.archive.kind", "a target needs a 'kind'", "there are "),
    ({"targets": []}, "targets", "not a table", ""),
    ({"targets": {"archive": {**FOLDER, "path": "x"}}}, "targets.archive.path", "absolute", ""),
    ({"targets": {"archive": FOLDER, "p": {**DICOM, "port": 70000}}}, "targets.p.port", "65535", ""),
    ({"targets": {"archive": FOLDER, "p": {**DICOM, "called_aet": "x" * 17}}}, "targets.p.called_aet", "AE title", ""),
    ({"targets": {"archive": FOLDER, "p": {**DICOM, "host": "a;b"}}}, "targets.p.host", "neither a host name", ""),
    ({"targets": {"archive": FOLDER, "p": {**DICOM, "host": "::1::2"}}}, "targets.p.host", "neither a host name", ""),
    ({"targets": {"archive": FOLDER, "p": {**DICOM, "host": "fe80::1%eth0"}}}, "targets.p.host", "one cable", ""),
    ({"targets": {"archive": FOLDER, "p": {**DICOM, "host": ""}}}, "targets.p.host", "at least 1 character", ""),
    ({"targets": {"archive": FOLDER, "../x": DICOM}}, "targets.../x", "a name has 1 to 64", ""),
    (
        {"rules": {"mr": {**RULE, "targets": ["archve"]}}},
        "rules.mr.targets",
        "there is no target 'archve'",
        "did you mean 'archive'?",
    ),
    (
        {"rules": {"mr": {**RULE, "targets": ["nowhere"]}}},
        "rules.mr.targets",
        "there is no target 'nowhere'",
        "add the target, or remove it",
    ),
    ({"rules": {"mr": {"rule": "True"}}}, "rules.mr", "needs at least one target", ""),
    ({"rules": {"mr": {**RULE, "action": "discard"}}}, "rules.mr", "has no targets", ""),
    ({"rules": {"mr": {**RULE, "targets": ["archive", "archive"]}}}, "rules.mr", "named twice", ""),
    ({"rules": {"mr": {**RULE, "action": "rout"}}}, "rules.mr.action", "'route'", ""),
    ({"rules": {"mr": {**RULE, "rule": "tags.Modality =="}}}, "rules.mr.rule", "column", ""),
    ({"rules": {"mr": {"targets": ["archive"]}}}, "rules.mr.rule", "required", ""),
    ({"rules": {"a b": RULE}}, "rules.a b", "a name has 1 to 64", ""),
    ({"version": 2}, "version", "1", ""),
    (
        {"modules": {"m": {**MODULE, "settings": {"a": ["\ud83d"]}}}},
        "modules.m.settings.a.0",
        "half of a character",
        "write the whole",
    ),
    (
        {"modules": {"m": {**MODULE, "settings": {"\ud83d": 1}}}},
        "modules.m.settings.\\ud83d",
        "half",
        "write the whole",
    ),
    ({"modules": {"m": {**MODULE, "settings": {"a": float("nan")}}}}, "modules.m.settings.a", "nan is no number", ""),
    ({"\ud83d": 1}, "\\ud83d", "half of a character", "write the whole"),
    ({"spool": "here"}, "spool", "absolute", ""),
    ({"off_peak": {"timezone": "Europe/Berln"}}, "off_peak.timezone", "not a time zone", ""),
    ({"off_peak": {"timezone": "../../etc/passwd"}}, "off_peak.timezone", "not a time zone", ""),
    ({"off_peak": {"start": "20:00:00Z"}}, "off_peak.start", "without an offset", ""),
    ({"off_peak": {"start": "20:00", "end": "20:00"}}, "off_peak", "never be served", ""),
    ({"history": {"url": "mysql://x"}}, "history.url", "begins with", ""),
    ({"senders": {"ct": {}}}, "senders.ct", "it would be every sender", ""),
    ({"senders": {"c@t": {"ae_titles": ["CT1"]}}}, "senders.c@t", "a name has 1 to 64", ""),
    ({"senders": {"ct": {"ae_titles": ["x" * 17]}}}, "senders.ct.ae_titles.0", "AE title", ""),
    ({"senders": {"ct": {"addresses": ["10.0.0.1/24"]}}}, "senders.ct.addresses.0", "host bits", ""),
    ({"senders": {"ct": {"addresses": ["ct.example"]}}}, "senders.ct.addresses.0", "no address and no network", ""),
    ({"completion": {"senders": {"a\\b": {}}}}, "completion.senders.a\\b", "neither an AE title", ""),
    ({"retention": {"success_seconds": -1}}, "retention.success_seconds", "greater than or equal to 0", ""),
    ({"retention": {"success_seconds": float("nan")}}, "retention.success_seconds", "", ""),
    ({"retention": {"success_seconds": float("inf")}}, "retention.success_seconds", "no number", ""),
]


def store(root: Path) -> ConfigStore:
    return open_store(Root(root))


def problems(root: Path, content: dict[str, Any]) -> tuple[ConfigProblem, ...]:
    with pytest.raises(ConfigError) as caught:
        store(root).parse(content)
    assert caught.value.file == "mercure.json"
    for problem in caught.value.problems:
        assert str(problem) in str(caught.value)
    return caught.value.problems


def test_the_good_one_is_good(tmp_path: Path) -> None:
    assert store(tmp_path).parse(GOOD).rules["mr"].targets == ("archive",)


@pytest.mark.parametrize(("change", "place", "text", "advice"), WRONG, ids=[f"{w[1]}: {w[2]}" for w in WRONG])
def test_place_text_and_advice(tmp_path: Path, change: dict[str, Any], place: str, text: str, advice: str) -> None:
    found = problems(tmp_path, GOOD | change)
    (problem,) = [problem for problem in found if problem.place == place]
    assert text in problem.text
    assert problem.advice.startswith(advice)
    assert bool(problem.advice) == bool(advice)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    content = GOOD | {"nmae": "x", "receiver": {"port": -1}, "targets": {"a": {"kind": "dicom"}}}
    places = {problem.place for problem in problems(tmp_path, content)}
    assert places >= {"nmae", "receiver.port", "targets.a.host", "targets.a.port", "targets.a.called_aet"}


@pytest.mark.parametrize(
    ("data", "place", "text"),
    [
        (b"", "line 1, column 1", "not JSON"),
        (b'{\n "a": 1,\n}', "line 3, column 1", "not JSON"),
        (b"[]", "file", "not a JSON object"),
        (b"\xff", "file", "not JSON"),
        (b"[" * 100_000, "file", "not JSON"),
        (b'{"version": 1, "version": 1}', "version", "stands there twice"),
        (b'{"rules": {"mr": {"rule": "True"}, "mr": {"rule": "False"}}}', "mr", "stands there twice"),
    ],
)
def test_what_is_no_json_or_ambiguous(tmp_path: Path, data: bytes, place: str, text: str) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "mercure.json").write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        store(tmp_path).mercure.load()
    (problem,) = caught.value.problems
    assert problem.place == place
    assert text in problem.text


def test_a_missing_file_comes_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mercure init"):
        store(tmp_path).mercure.load()


def test_a_file_of_any_size_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    with open(tmp_path / "config" / "mercure.json", "wb") as file:
        file.truncate(17 * 1024 * 1024)
    with pytest.raises(ConfigError, match="larger than"):
        store(tmp_path).mercure.load()


@pytest.mark.parametrize(
    ("content", "place"),
    [({"router": {"instances": -1}}, "router.instances"), ({"cleaner": {"instances": 2}}, "cleaner.instances")],
)
def test_services_too(tmp_path: Path, content: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        store(tmp_path).parse_services({"version": 1, **content})
    assert [problem.place for problem in caught.value.problems] == [place]
    assert caught.value.file == "services.json"
    assert store(tmp_path).parse_services({"router": {"instances": 3}}).router.instances == 3


def test_one_target_may_be_written_without_a_list(tmp_path: Path) -> None:
    content = GOOD | {"rules": {"mr": {"rule": "True", "targets": "archive"}}}
    assert store(tmp_path).parse(content).rules["mr"].targets == ("archive",)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.sampled_from(sorted(Config.model_fields)), JSON)
def test_any_json_is_read_or_refused_with_places(key: str, value: Any) -> None:
    """Nothing that an editor can write may end a service with an unexpected exception."""
    try:
        config = store(Path("/nowhere")).parse(GOOD | {key: value})
    except ConfigError as refused:
        unplaced = [problem for problem in refused.problems if not (problem.place and problem.text)]
        config = None
    else:
        unplaced = []
    assert unplaced == []
    if config is not None:
        assert store(Path("/nowhere")).parse(json.loads(config.model_dump_json(exclude_defaults=True))) == config


def test_the_tests_own_default_is_good(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.configure()
    assert store(tmp_path).mercure.load().value.rules["all"].rule == "True"
