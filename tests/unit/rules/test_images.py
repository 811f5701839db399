"""Questions over all images are asked once for each combination of values, which must make no difference."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mercure.rules import ImageRecords, compile_rule

CONDITIONS: Final = [
    'tags.Modality == "A"',
    'tags.Modality == "A" and tags.StationName == "B"',
    'values("ImageType") == ["A", "B"]',
    '"A" in tags.ImageType',
    'has("ImageType")',
    '"ImageType" in tags and "Modality" not in tags',
    'number(tags.Modality) == 1 or tags.StationName == "B"',
    'tags.get("Modality", "B") == "B"',
    'tags.SiteTag == "A"',
    'sequence("ProcedureCodeSequence").count == 1',
]
values = st.sampled_from(["", "A", "B", "1", "A\\B", ["A", "B"], [], None, 1, True])
records = st.dictionaries(
    st.sampled_from(["Modality", "StationName", "ImageType", "SiteTag", "sitetag"]), values, max_size=4
)


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(records, min_size=1, max_size=6), st.sampled_from(CONDITIONS))
def test_any_and_all_are_what_asking_each_image_gives(series: list[dict[str, Any]], condition: str) -> None:
    rule = compile_rule(condition)
    each = [rule.evaluate(record) for record in series]
    for word, expected in (("any", True), ("all", False)):
        asked = compile_rule(f"images.{word}({condition})").evaluate(ImageRecords(series))
        stop = next((n for n, one in enumerate(each) if one.error is not None or one.result is expected), None)
        if stop is not None and each[stop].error is not None:
            assert asked.error is not None
        else:
            assert asked.error is None
            assert asked.result is (expected if stop is not None else not expected)


def test_images_are_made_of_whatever_is_at_hand() -> None:
    record = {"Modality": "MR"}
    rule = compile_rule('tags.Modality == "MR"')
    assert rule.evaluate(record).result
    assert rule.evaluate([record, {}]).result
    assert rule.evaluate(iter([record])).result
    assert rule.evaluate(ImageRecords([record])).result


def test_records_that_people_wrote_may_differ_in_case() -> None:
    images = ImageRecords.respelled([{"modality": "MR", "STUDYDATE": "20260101", "Site": "north"}])
    assert (
        compile_rule('tags.Modality == "MR" and tags.StudyDate == "20260101" and tags.Site == "north"')
        .evaluate(images)
        .result
    )


def test_a_record_is_never_changed() -> None:
    record = {"ImageType": ["A", "B"], "Modality": "MR"}
    compile_rule('values("ImageType") == ["A"] or images.any(sorted(values("ImageType"))[0] == "X")').evaluate(record)
    assert record == {"ImageType": ["A", "B"], "Modality": "MR"}
