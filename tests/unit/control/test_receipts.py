"""Receipts: what they say of an exam, who may ask, and that changes are found."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from appliance.control.api.receipt import FORMAT, MakeReceipt, ReceiptStatement, SignedReceipt
from appliance.control.errors import ControlError
from appliance.control.history import receipts
from appliance.control.session import Session
from appliance.receipts import check, page
from appliance.signatures import PublicKey, SigningKey, verify
from mercure.spool import Stage
from tests.support.history import START
from tests.support.receipts import spoil
from tests.support.stated_exam import ACCESSION, DELIVERED, EXAM, FAILED, data_set, place_exam
from tests.support.tasks import events_of
from tests.support.verbs import asked


@pytest.fixture
def folder(session: Session) -> Path:
    return place_exam(session)


def make(session: Session, **wanted: str) -> bytes:
    made = receipts.make(asked(session), MakeReceipt(**(wanted or {"accession": ACCESSION})))
    return made.document.encode()


def key_of(session: Session) -> PublicKey:
    found = SigningKey.load(session.root.keys)
    assert found is not None
    return found.public


def stated(session: Session, **wanted: str) -> ReceiptStatement:
    document = make(session, **wanted)
    return ReceiptStatement.model_validate(verify(document, FORMAT, key_of(session)))


def after(seconds: float) -> object:
    return START + timedelta(seconds=seconds)


class TestStatement:
    def test_counts_each_image_once_and_each_arrival(self, session: Session, folder: Path) -> None:
        counts = stated(session).counts
        assert (counts.series, counts.images, counts.arrivals, counts.on_disk) == (1, 3, 4, 3)
        assert (counts.deliveries, counts.tasks) == (4, 3)

    def test_when_from_whom_and_with_which_digests(self, session: Session, folder: Path) -> None:
        first = stated(session).images[0]
        arrival, again = first.arrivals
        assert first.sop == EXAM.refs[0].sop
        assert (arrival.time, arrival.repetition, again.time, again.repetition) == (after(0), False, after(5), True)
        assert (arrival.calling_aet, arrival.address, arrival.association) == ("CT1", "10.0.0.7", EXAM.association)
        assert arrival.sha256 == hashlib.sha256(data_set(0)).hexdigest() == again.sha256
        assert arrival.digest.startswith("xxh3-128:")
        assert (arrival.intact, again.digest) == (True, arrival.digest)

    def test_by_which_certificate_the_sender_was_known(self, session: Session, folder: Path) -> None:
        lines = [json.loads(line) for line in (folder / "tags.jsonl").read_text().splitlines()]
        lines[0]["SenderCertificate"] = "CN=ct1,O=<Hospital>"
        (folder / "tags.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        found = stated(session).images
        assert [[at.certificate_subject for at in image.arrivals] for image in found] == [
            ["CN=ct1,O=<Hospital>", ""], [""], [""],
        ]  # fmt: skip
        shown = page(json.loads(make(session)), "digest")
        assert "(10.0.0.7, certificate CN=ct1,O=&lt;Hospital&gt;)," in shown
        assert shown.count(", certificate ") == 1

    def test_delivered_where_when_and_with_which_status(self, session: Session, folder: Path) -> None:
        said = stated(session)
        (only,) = said.images[0].deliveries
        assert (only.task, only.target, only.time, only.status) == (DELIVERED, "archive", after(81), "0x0000")
        assert only.source == "history"
        _, by_ledger = said.images[1].deliveries
        assert (by_ledger.task, by_ledger.target, by_ledger.time) == (FAILED, "research", after(99))
        assert (by_ledger.status, by_ledger.source) == ("0xB000", "ledger")
        assert by_ledger.destination == "research@10.0.0.9:104"

    def test_tasks_with_what_failed(self, session: Session, folder: Path) -> None:
        tasks = {task.task: task for task in stated(session).tasks}
        assert (tasks[FAILED].state, tasks[FAILED].delivered) == ("failed", None)
        (attempt,) = tasks[FAILED].attempts
        assert (attempt.outcome, attempt.confirmed, attempt.error) == ("partial", 1, "0xA700 out of resources")
        assert [attempt.outcome for attempt in tasks[DELIVERED].attempts] == ["failure", "success"]
        assert tasks[DELIVERED].retired == after(900)

    def test_what_is_not_on_the_disk_any_more_has_no_digest(self, session: Session, folder: Path) -> None:
        shutil.rmtree(folder)
        said = stated(session)
        assert (said.counts.images, said.counts.on_disk, said.counts.deliveries) == (3, 0, 3)
        assert {(at.digest, at.sha256, at.intact) for image in said.images for at in image.arrivals} == {("", "", None)}

    def test_a_copy_that_was_altered_since_is_told(self, session: Session, folder: Path) -> None:
        spoil(folder / EXAM.refs[2].file, "pixel")
        image = stated(session).images[2]
        assert image.arrivals[0].intact is False
        assert image.arrivals[0].sha256 != hashlib.sha256(data_set(2)).hexdigest()

    def test_an_image_that_still_arrives_is_stated_too(self, session: Session, folder: Path) -> None:
        incoming = session.spool.entry(Stage.INCOMING, EXAM.uid)
        folder.rename(incoming)
        assert stated(session).counts.on_disk == 3

    def test_by_its_study(self, session: Session, folder: Path) -> None:
        said = stated(session, study=EXAM.identity.StudyInstanceUID)
        assert (said.accession, said.study_uid) == (None, EXAM.identity.StudyInstanceUID)
        assert said.counts.images == 3

    def test_the_number_is_meant_whole(self, session: Session, folder: Path) -> None:
        assert stated(session, accession=ACCESSION.lower()).counts.images == 3
        for accession in (ACCESSION[:-1], f"{ACCESSION}0", "%"):
            with pytest.raises(ControlError, match="no image") as caught:
                make(session, accession=accession)
            assert caught.value.kind == "not-found"

    def test_no_name_of_a_patient_is_in_it(self, session: Session, folder: Path) -> None:
        document = make(session)
        assert EXAM.identity.PatientID.encode() in document
        assert b"Jane" not in document

    def test_more_images_than_one_page(self, session: Session, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(receipts, "_PAGE", 2)
        assert stated(session).counts.arrivals == 4
        monkeypatch.setattr(receipts, "MOST_IMAGES", 2)
        with pytest.raises(ControlError, match="at most 2 images"):
            make(session)

    @pytest.mark.parametrize("wanted", [{}, {"accession": "1", "study": "1"}])
    def test_one_of_both_is_given(self, session: Session, wanted: dict[str, str]) -> None:
        with pytest.raises(ControlError, match="either"):
            receipts.make(asked(session), MakeReceipt(**wanted))

    def test_the_document_is_the_documented_model(self, session: Session, folder: Path) -> None:
        document = make(session)
        assert SignedReceipt.model_validate_json(document).key == key_of(session).fingerprint


def test_who_asked_is_audited_with_the_digest_of_the_file(session: Session, folder: Path) -> None:
    events_of(session)
    document = make(session)
    key, made = [event.details for event in events_of(session) if event.type == "audit"]
    assert (key["verb"], key["by"]) == ("receipt.key", "alice")
    assert (made["verb"], made["object"]) == ("receipt.make", ACCESSION)
    assert made["after"]["sha256"] == hashlib.sha256(document).hexdigest()
    make(session)
    assert [event.details["verb"] for event in events_of(session) if event.type == "audit"] == ["receipt.make"]


def test_a_key_that_others_may_read_signs_nothing(session: Session, folder: Path) -> None:
    make(session)
    (session.root.keys / "box.pem").chmod(0o644)
    events_of(session)
    with pytest.raises(ControlError, match="0600"):
        make(session)
    assert not events_of(session)


class TestCheck:
    def test_well(self, session: Session, folder: Path) -> None:
        found = check(make(session), key_of(session))
        assert (found.ok, found.problem, found.made_by) == (True, "", "alice")
        assert found.counts is not None
        assert found.counts.images == 3

    def test_a_missing_image_is_counted(self, session: Session, folder: Path) -> None:
        document = json.loads(make(session))
        del document["statement"]["images"][1]
        found = check(laid_out(document), key_of(session))
        assert not found.ok
        assert "names 3 images, and names 2" in found.problem
        document["statement"]["counts"]["images"] = 2
        assert not check(laid_out(document), key_of(session)).ok

    def test_a_signed_one_that_does_not_hold_what_it_says(self, session: Session, folder: Path) -> None:
        statement = json.loads(make(session))["statement"]
        del statement["images"][1]
        key = SigningKey.load(session.root.keys)
        assert key is not None
        found = check(key.sign(FORMAT, statement), key.public)
        assert (found.ok, found.problem) == (False, "it is signed, and does not name as much as it says")

    def test_of_a_newer_router(self, session: Session, folder: Path) -> None:
        key = SigningKey.ensure(session.root.keys)[0]
        found = check(key.sign(FORMAT, {"more": 1}), key.public)
        assert "newer" in found.problem

    def test_of_another_box(self, session: Session, folder: Path, tmp_path: Path) -> None:
        other, _ = SigningKey.ensure(tmp_path / "keys")
        found = check(make(session), other.public)
        assert not found.ok
        assert "another key than yours" in found.problem


def laid_out(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, indent=1).encode() + b"\n"
