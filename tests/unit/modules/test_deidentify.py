"""The basic profile of PS3.15 annex E and its options: vectors for every row of the table, and the whole module."""

from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from modules.common import ModuleError, Work
from modules.deidentify.image import METHOD, ImageDeidentifier
from modules.deidentify.profile import OPTIONS, Entry, Profile, entries
from modules.deidentify.settings import read_settings
from modules.deidentify.values import DUMMIES
from modules.deidentify.work import deidentify_all
from tests.unit.modules.vectors import (
    KEY,
    TELLTALE,
    TELLTALE_DATE,
    TELLTALE_UID,
    image,
    named,
    representation,
    settings,
    telling,
    written,
)

ROWS = named()


def applied(dataset: Dataset, *options: str, **given: object) -> Dataset:
    ImageDeidentifier(settings(*options, **given)).apply(dataset)
    return dataset


def test_the_table_is_whole() -> None:
    """The 655 rows of edition 2026c, besides that of the private attributes."""
    table = list(entries())
    assert len(table) == 655
    assert len({entry.place for entry in table}) == len(table)
    assert {entry.basic for entry in table} == {"X", "Z", "D", "U", "Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*"}


@pytest.mark.parametrize(
    ("place", "basic"),
    [
        ("00100010", "Z"),
        ("00100020", "Z/D"),
        ("00080018", "U"),
        ("00080050", "Z"),
        ("00080080", "X/Z/D"),
        ("00081140", "X/Z/U*"),
        ("00100030", "Z"),
        ("0040A730", "D"),
        ("00400275", "X"),
        ("60xx3000", "X"),
    ],
)
def test_rows_as_the_standard_prints_them(place: str, basic: str) -> None:
    assert {entry.place: entry.basic for entry in entries()}[place] == basic


def problem_with(entry: Entry) -> str | None:
    """Say what the basic profile does wrong with a row."""
    tag, before, made = int(entry.place, 16), telling(entry), applied(image([entry]))
    action = entry.action(())
    if action == "X":
        return "it is still there" if tag in made else None
    after = made[tag]
    if TELLTALE.encode() in written(made) or TELLTALE_UID.encode() in written(made):
        return "its value is still there"
    if action == "Z":
        return None if after.is_empty or len(after.value) == 0 else "it is not empty"
    if before.VR == "SQ":
        return None if after.value[0].StudyInstanceUID.startswith("2.25.") else "its item has no new UID"
    return "it has no new value" if after.is_empty or after.value == before.value else None


def test_each_row_by_the_basic_profile() -> None:
    """In one test, because 640 of them would spend most of their time on looking for what they left behind."""
    assert len(ROWS) > 600
    assert {entry.keyword: said for entry in ROWS if (said := problem_with(entry))} == {}


def test_nothing_of_all_rows_together_gives_itself_away() -> None:
    whole = image(ROWS)
    assert TELLTALE.encode() in written(whole)
    data = written(applied(whole))
    for word in (TELLTALE, TELLTALE_UID, TELLTALE_DATE):
        assert word.encode() not in data


@pytest.mark.parametrize("option", sorted(set(OPTIONS) - {"safe-private"}))
def test_each_option_changes_its_rows_and_no_other(option: str) -> None:
    concerned = {entry.place for entry in named(option)}
    for entry in ROWS:
        plain, chosen = entry.action(()), entry.action((option,))
        assert (plain != chosen) <= (entry.place in concerned), entry
        if entry.place in concerned:
            assert chosen == entry.options[option]


@pytest.mark.parametrize("option", ["uids", "device", "institution", "patient", "full-dates"])
def test_what_an_option_keeps_stays_as_it_is(option: str) -> None:
    for entry in named(option):
        if entry.options[option] != "K" or representation(entry) == "SQ":
            continue
        made = applied(image([entry]), option)
        assert made[int(entry.place, 16)].value == telling(entry).value, entry


def test_dates_of_a_patient_move_together_and_keep_their_times() -> None:
    rows = [entry for entry in named("modified-dates") if representation(entry) in ("DA", "DT")]
    made = applied(image(rows), "modified-dates", date_shift_days=-10)
    found = {str(made[int(entry.place, 16)].value) for entry in rows}
    assert found == {"20010124", "20010124112233"}
    by_key = applied(image(rows), "modified-dates")
    assert len({str(by_key[int(entry.place, 16)].value)[:8] for entry in rows}) == 1
    assert str(by_key[int(rows[0].place, 16)].value)[:8] != TELLTALE_DATE
    assert made.LongitudinalTemporalInformationModified == "MODIFIED"


@pytest.mark.parametrize("wrong", ["2001", "20011399", "not a date", "99991231"])
def test_a_date_that_is_none_becomes_empty(wrong: str) -> None:
    made = image()
    with pydicom.config.disable_value_validation():
        made.StudyDate = wrong
        applied(made, "modified-dates", date_shift_days=400)
    assert not made.StudyDate


def test_of_a_text_only_known_words_stay() -> None:
    made = image()
    made.StudyDescription = "CT Thorax for Telltale^Tom 42 (thorax)"
    made.SeriesDescription = "axial"
    applied(made, "descriptors", words=["thorax", "CT"])
    assert made.StudyDescription == "CT Thorax thorax"
    assert made.SeriesDescription == ""


def test_uids_are_replaced_alike_everywhere_and_only_with_the_key() -> None:
    one, two = image(), image()
    one.StudyInstanceUID = two.StudyInstanceUID = "1.2.3"
    reference = Dataset()
    reference.ReferencedSOPInstanceUID = TELLTALE_UID
    reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    two.SourceImageSequence = Sequence([reference])
    applied(one)
    applied(two)
    other = applied(image(), key="another key for tests")
    assert one.StudyInstanceUID == two.StudyInstanceUID
    assert two.SourceImageSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID
    assert two.SourceImageSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert one.SOPInstanceUID != other.SOPInstanceUID
    assert UID(one.SOPInstanceUID).is_valid
    assert one.SOPInstanceUID.startswith("2.25.")
    assert int(one.SOPInstanceUID[5:]).bit_length() <= 128
    assert one.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"


def test_a_patient_keeps_one_pseudonym() -> None:
    one, two = applied(image()), applied(image())
    assert one.PatientID == two.PatientID
    assert TELLTALE not in one.PatientID
    other = image()
    other.PatientID = "somebody else"
    assert applied(other).PatientID != one.PatientID


def test_what_is_nested_is_found() -> None:
    made = image()
    step, code = Dataset(), Dataset()
    code.OperatorsName = TELLTALE
    code.add_new(0x00291001, "LO", TELLTALE)
    step.ConceptNameCodeSequence = Sequence([code])
    step.RequestedProcedureDescription = TELLTALE
    made.SharedFunctionalGroupsSequence = Sequence([step])
    applied(made)
    assert TELLTALE.encode() not in written(made)
    assert len(made.SharedFunctionalGroupsSequence) == 1


def test_curves_overlays_private_and_unknown_attributes_go() -> None:
    made = image()
    made.add_new(0x50003000, "OW", TELLTALE.encode())
    made.add_new(0x60023000, "OW", TELLTALE.encode())
    made.add_new(0x60024000, "LT", TELLTALE)
    made.add_new(0x00290010, "LO", "TELLTALE VENDOR")
    made.add_new(0x00291001, "LO", TELLTALE)
    made.add_new(0x00200FFE, "LO", TELLTALE)
    applied(made)
    assert TELLTALE.encode() not in written(made)
    assert not [tag for tag in made.keys() if tag.is_private or tag.group in (0x5000, 0x6002)]  # noqa: SIM118


def test_private_attributes_that_are_safe_stay_with_their_creator() -> None:
    made = image()
    made.add_new(0x00190010, "LO", "SIEMENS MR HEADER")
    made.add_new(0x0019100C, "IS", "1000")
    made.add_new(0x00191099, "LO", TELLTALE)
    made.add_new(0x00290011, "LO", "ACME 1.1")
    made.add_new(0x00291110, "DS", "7")
    made.add_new(0x00291210, "DS", "8")
    applied(made, "safe-private", private=["ACME 1.1:0029,10"])
    kept = {f"{int(tag):08x}" for tag in made.keys() if tag.is_private}  # noqa: SIM118
    assert kept == {"00190010", "0019100c", "00290011", "00291110"}


def test_of_a_structured_report_names_go_and_its_structure_stays() -> None:
    def report() -> Dataset:
        made = image()
        item = Dataset()
        item.ValueType = "PNAME"
        item.PersonName = TELLTALE
        number = Dataset()
        number.ValueType = "TEXT"
        number.TextValue = f"lesion seen by {TELLTALE}"
        made.ContentSequence = Sequence([item, number])
        return made

    basic = applied(report())
    assert [item.ValueType for item in basic.ContentSequence] == ["PNAME"]
    cleaned = applied(report(), "content", "descriptors", words=["lesion"])
    assert [item.ValueType for item in cleaned.ContentSequence] == ["PNAME", "TEXT"]
    for made in (basic, cleaned):
        assert TELLTALE.encode() not in written(made)


def test_drawings_stay_and_their_texts_go() -> None:
    made = image()
    layer, text, line = Dataset(), Dataset(), Dataset()
    text.UnformattedTextValue = TELLTALE
    line.GraphicType = "POLYLINE"
    layer.TextObjectSequence, layer.GraphicObjectSequence = Sequence([text]), Sequence([line])
    made.GraphicAnnotationSequence = Sequence([layer])
    applied(made, "graphics")
    assert "TextObjectSequence" not in made.GraphicAnnotationSequence[0]
    assert made.GraphicAnnotationSequence[0].GraphicObjectSequence[0].GraphicType == "POLYLINE"


def test_what_was_done_is_recorded() -> None:
    made = image()
    made.DeidentificationMethod = "before"
    applied(made, "device", "full-dates")
    assert made.PatientIdentityRemoved == "YES"
    assert list(made.DeidentificationMethod) == ["before", METHOD]
    codes = [item.CodeValue for item in made.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113106", "113109"]
    assert made.LongitudinalTemporalInformationModified == "UNMODIFIED"


def test_every_dummy_is_valid() -> None:
    made = Dataset()
    for number, (vr, value) in enumerate(DUMMIES.items()):
        with (
            pydicom.config.strict_value_validation()
            if hasattr(pydicom.config, "strict_value_validation")
            else (pydicom.config.disable_value_validation())
        ):
            made.add_new(0x00091000 + number, vr, value)
    assert len(written(made)) > 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"key": KEY, "colour": 1}, "unknown settings"),
        ({"key": KEY, "options": ["all"]}, "unknown options"),
        ({"key": KEY, "options": ["full-dates", "modified-dates"]}, "exclude each other"),
        ({"key": "short"}, "at least 16"),
        ({}, "persistence"),
        ({"key": KEY, "date_shift_days": 0}, "date_shift_days"),
        ({"key": KEY, "burned_in": "ignore"}, "burned_in"),
        ({"key": KEY, "private": ["ACME"]}, "CREATOR"),
        ({"key": KEY, "words": "thorax"}, "list of texts"),
    ],
)
def test_wrong_settings_are_refused_with_what_to_do(
    given: dict[str, object], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODULE_PERSISTENCE_DIR", raising=False)
    with pytest.raises(ModuleError, match=words):
        read_settings(given)


def test_a_key_is_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODULE_PERSISTENCE_DIR", str(tmp_path))
    first, second = read_settings({}), read_settings({})
    assert first.key == second.key
    assert len(first.key) == 32
    assert [(path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [("deidentify.key", 0o600)]
    assert read_settings({"key": "random"}).key != first.key


def folders(tmp_path: Path, *images: Dataset) -> Work:
    work = Work(tmp_path / "in", tmp_path / "out", {"key": KEY})
    for folder in (work.inputs, work.outputs):
        folder.mkdir()
    for number, made in enumerate(images):
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.file_meta.SourceApplicationEntityTitle = TELLTALE
        made.save_as(work.inputs / f"series#{number}.dcm", enforce_file_format=True)
    return work


def test_the_module_writes_images_under_their_new_uids(tmp_path: Path) -> None:
    two = image(ROWS)
    two.SOPInstanceUID = "1.2.3.4.9"
    work = folders(tmp_path, image(ROWS), two)
    deidentify_all(work)
    names = sorted(path.name for path in work.outputs.glob("*.dcm"))
    assert len(names) == 2
    for name in names:
        data = (work.outputs / name).read_bytes()
        assert TELLTALE.encode() not in data
        made = pydicom.dcmread(work.outputs / name)
        assert f"{made.SOPInstanceUID}.dcm" == name
        assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
    result = json.loads((work.outputs / "result.json").read_text())
    assert (result["images"], result["warnings"]) == (2, [])
    assert "__mercure_notification" not in result


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("BurnedInAnnotation", "YES"), ("Modality", "US"), ("RecognizableVisualFeatures", "YES")],
)
def test_pixels_that_may_show_a_name_are_told_or_refused(tmp_path: Path, keyword: str, value: str) -> None:
    made = image()
    setattr(made, keyword, value)
    work = folders(tmp_path, made)
    deidentify_all(work)
    result = json.loads((work.outputs / "result.json").read_text())
    assert result["warnings"][0]["images"] == 1
    assert result["__mercure_notification"]["requested"] is True
    with pytest.raises(ModuleError, match="burned_in"):
        deidentify_all(Work(work.inputs, work.outputs, {"key": KEY, "burned_in": "refuse"}))


def test_what_is_no_dicom_fails_and_leaves_no_image(tmp_path: Path) -> None:
    work = folders(tmp_path)
    (work.inputs / "broken.dcm").write_bytes(b"no image")
    with pytest.raises(ModuleError, match="cannot be read"):
        deidentify_all(work)
    assert list(work.outputs.iterdir()) == []


def test_no_image_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="no image"):
        deidentify_all(folders(tmp_path))


def test_a_profile_without_options_is_the_basic_one() -> None:
    assert Profile(()).action(0x00100010) == "Z"
    assert Profile(()).action(0x00280010) is None
