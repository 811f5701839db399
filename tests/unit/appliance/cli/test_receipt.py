"""``mercure receipt``: made, printed, and verified with a key from outside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.cli import exit_codes
from appliance.control.session import Session
from appliance.receipts import page
from appliance.signatures import SigningKey
from tests.support.command_line import Call
from tests.support.stated_exam import ACCESSION, EXAM, place_exam


@pytest.fixture
def kept(session: Session, call: Call, tmp_path: Path) -> Path:
    """A receipt in a file, and the public key beside it."""
    place_exam(session)
    path = tmp_path / "receipt.json"
    made = call("receipt", ACCESSION, "--json", str(path))
    assert made.exit_code == 0, made.output
    (tmp_path / "key.pem").write_text(call("receipt", "key").stdout)
    return path


@pytest.fixture
def fingerprint(kept: Path, session: Session) -> str:
    key = SigningKey.load(session.root.keys)
    assert key is not None
    return key.public.fingerprint


def test_it_is_made_and_verified(kept: Path, call: Call, tmp_path: Path) -> None:
    assert kept.stat().st_mode & 0o777 == 0o600
    done = call("receipt", "verify", str(kept), "--key", str(tmp_path / "key.pem"), at=tmp_path / "no-router")
    assert done.exit_code == 0, done.output
    for expected in ("as the router signed it", ACCESSION, "3, 3 of them on the disk", "1 of them again", "4 times"):
        assert expected in done.stdout


def test_by_its_fingerprint(kept: Path, call: Call, fingerprint: str) -> None:
    done = call("receipt", "verify", str(kept), "--fingerprint", fingerprint.upper(), "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["fingerprint"] == fingerprint


@pytest.mark.parametrize("old", ["CT1", "0x0000", '"intact": true', "xxh3-128:"])
def test_a_changed_byte(kept: Path, call: Call, fingerprint: str, old: str) -> None:
    text = kept.read_text()
    at = text.index(old)
    kept.write_text(f"{text[:at]}{chr(ord(text[at]) ^ 1)}{text[at + 1 :]}")
    done = call("receipt", "verify", str(kept), "--fingerprint", fingerprint)
    assert (done.exit_code, done.stdout) == (exit_codes.FAILED, "")
    assert "NOT as the router signed it" in done.stderr


def test_a_missing_image(kept: Path, call: Call, fingerprint: str) -> None:
    document = json.loads(kept.read_text())
    document["statement"]["images"].pop()
    kept.write_text(json.dumps(document, sort_keys=True, indent=1) + "\n")
    done = call("receipt", "verify", str(kept), "--fingerprint", fingerprint)
    assert done.exit_code == exit_codes.FAILED
    assert "names 3 images, and names 2" in done.stderr


def test_the_key_of_another_box(kept: Path, call: Call, tmp_path: Path) -> None:
    other, _ = SigningKey.ensure(tmp_path / "other")
    done = call("receipt", "verify", str(kept), "--fingerprint", other.public.fingerprint, "--json")
    assert done.exit_code == exit_codes.FAILED
    assert json.loads(done.stdout)["ok"] is False
    assert "another key than yours" in done.stderr


def test_without_a_key_nothing_is_verified(kept: Path, call: Call, tmp_path: Path, fingerprint: str) -> None:
    key = str(tmp_path / "key.pem")
    for options in ([], ["--key", key, "--fingerprint", fingerprint]):
        done = call("receipt", "verify", str(kept), *options)
        assert done.exit_code == exit_codes.USAGE
        assert "either --key FILE or --fingerprint HEX" in done.stderr
    for options in (["--fingerprint", "12ab"], ["--key", str(kept)]):
        assert call("receipt", "verify", str(kept), *options).exit_code == exit_codes.FAILED


def test_a_file_that_is_no_receipt(kept: Path, call: Call, tmp_path: Path, fingerprint: str) -> None:
    (tmp_path / "other").write_bytes(b"\xff\x00")
    done = call("receipt", "verify", str(tmp_path / "other"), "--fingerprint", fingerprint)
    assert done.exit_code == exit_codes.FAILED
    assert "no signed document" in done.stderr


class TestMake:
    def test_a_page_to_print(self, session: Session, call: Call, tmp_path: Path) -> None:
        place_exam(session)
        page = tmp_path / "receipt.html"
        done = call("receipt", "--study", EXAM.identity.StudyInstanceUID, "--html", str(page))
        assert done.exit_code == 0, done.output
        text = page.read_text()
        for expected in (EXAM.refs[2].sop, "0xB000", "a repetition", "0xA700", "10.0.0.7", "sha256:", "research"):
            assert expected in text
        assert "<script" not in text

    def test_without_a_file_it_says_what_it_would_hold(self, session: Session, call: Call) -> None:
        place_exam(session)
        done = call("receipt", ACCESSION)
        assert done.exit_code == 0, done.output
        assert "not kept: --json FILE writes" in done.stdout

    def test_printed_it_is_the_file_to_the_byte(self, session: Session, call: Call, tmp_path: Path) -> None:
        place_exam(session)
        printed = call("receipt", ACCESSION, "--json", "-").stdout
        (tmp_path / "printed").write_text(printed)
        fingerprint = json.loads(call("receipt", "key", "--json").stdout)["fingerprint"]
        assert call("receipt", "verify", str(tmp_path / "printed"), "--fingerprint", fingerprint).exit_code == 0

    def test_a_receipt_is_never_overwritten(self, kept: Path, call: Call) -> None:
        before = kept.read_bytes()
        done = call("receipt", ACCESSION, "--json", str(kept))
        assert done.exit_code == exit_codes.FAILED
        assert "is there already" in done.stderr
        assert kept.read_bytes() == before

    def test_an_exam_that_is_not_known(self, session: Session, call: Call, root: Path) -> None:
        place_exam(session)
        for arguments in (("receipt", "NOBODY"), ("receipt", "--root", str(root), "make", "NOBODY")):
            done = call(*arguments)
            assert done.exit_code == exit_codes.NOT_FOUND
            assert "knows no image of NOBODY" in done.stderr

    def test_one_exam_is_named(self, call: Call) -> None:
        for arguments in (["make"], ["A1", "--study", "1.2"], ["make", "A1", "A2"]):
            assert call("receipt", *arguments).exit_code == exit_codes.USAGE


def test_the_words_of_strangers_are_escaped_on_the_page() -> None:
    hostile = "<b>\x1b\u202e&"
    one = dict.fromkeys(("series_uid", "study_uid", "accession", "patient_id", "modality", "node", "study_date"), "")
    counts = dict.fromkeys(("images", "series", "arrivals", "deliveries", "on_disk"), 1)
    said: dict[str, object] = {
        "node": "n",
        "version": "1",
        "made": "",
        "made_by": "",
        "accession": hostile,
        "study_uid": None,
    }
    said |= {"counts": counts, "series": [one | {"description": hostile}], "tasks": [], "images": []}
    text = page({"algorithm": "Ed25519", "key": "0" * 64, "signature": "", "statement": said}, "")
    assert "<b>\\" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"&lt;b&gt;\x1b\u202e&amp;" in text
