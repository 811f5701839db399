"""What every kind of target must do, whatever it is: one suite, run against a real server of each kind."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from mercure.spool import Task, save_task
from mercure.spool.task import COUNTED_KINDS
from mercure.targets import MODELS, DeliveryJob, ImageResult, Target, Trouble, open_target
from tests.conformance.backends import BACKENDS, Backend, kinds_covered
from tests.support.data_sets import data_set_of
from tests.support.polling import eventually
from tests.support.series import seeded_uid, synthetic_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

PLENTY = 60.0
TASK = "20260101T000000000000-00000001"


class Delivery:
    """A task of real images, and what a target says of them."""

    def __init__(self, folder: Path, backend: Backend, images: int = 5, seed: str = "conformance") -> None:
        self.directory = folder / seed
        self.directory.mkdir()
        self.results: list[ImageResult] = []
        self.stopping: Callable[[], bool] = lambda: False
        self.target: Target = open_target(MODELS[backend.settings["kind"]].model_validate(backend.settings))
        made = synthetic_images(images, 16, 16, seed=seed)
        self.files = [f"{sop}.dcm" for sop, _ in made]
        lines = []
        for sop, data in made:
            (self.directory / f"{sop}.dcm").write_bytes(data)
            tags = {"SOPInstanceUID": sop, "StudyInstanceUID": seeded_uid("study", seed)}
            lines.append(
                json.dumps({"FileName": f"{sop}.dcm", "SeriesInstanceUID": seeded_uid("series", seed), **tags})
            )
        (self.directory / "tags.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.task = Task(id=TASK, created=datetime(2026, 1, 1, tzinfo=UTC), images=images)
        save_task(self.directory, self.task)

    def deliver(self, files: Sequence[str] | None = None, seconds: float = PLENTY) -> Trouble | None:
        self.results.clear()
        wanted = self.files if files is None else files
        return self.target.deliver(
            DeliveryJob(self.directory, wanted, self.task, seconds, self.results.append, self.stopping)
        )

    def confirmed(self) -> list[str]:
        return [result.file for result in self.results if result.stored]

    def data_sets(self, files: Sequence[str] | None = None) -> list[bytes]:
        return sorted(data_set_of((self.directory / name).read_bytes()) for name in files or self.files)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    with BACKENDS[request.param](tmp_path) as made:
        yield made


@pytest.fixture
def delivery(tmp_path: Path, backend: Backend) -> Delivery:
    return Delivery(tmp_path, backend)


def arrived(backend: Backend, wanted: list[bytes]) -> None:
    """Wait until the server shows what it has taken: some index it a moment later."""
    eventually(lambda: sorted(backend.data_sets()) == wanted, seconds=20)


def test_every_kind_has_a_server_here() -> None:
    assert set(kinds_covered()) >= set(MODELS) - {"group"}, "a new kind must pass this suite"


def test_every_image_arrives_bit_by_bit_and_is_reported_once(backend: Backend, delivery: Delivery) -> None:
    assert delivery.deliver() is None
    assert [result.file for result in delivery.results] == delivery.files
    assert {(result.outcome, result.status) for result in delivery.results} == {("confirmed", "0x0000")}
    assert [f"{result.sop}.dcm" for result in delivery.results] == delivery.files
    arrived(backend, delivery.data_sets())


def test_only_what_is_asked_for_is_sent(backend: Backend, delivery: Delivery) -> None:
    assert delivery.deliver(delivery.files[2:4]) is None
    assert delivery.confirmed() == delivery.files[2:4]
    arrived(backend, delivery.data_sets(delivery.files[2:4]))


def test_to_deliver_again_changes_nothing(backend: Backend, delivery: Delivery) -> None:
    """Delivery is at least once; the SOP Instance UID makes it harmless."""
    for _ in range(2):
        assert delivery.deliver() is None
        assert delivery.confirmed() == delivery.files
    arrived(backend, delivery.data_sets())


def test_many_images(tmp_path: Path, backend: Backend) -> None:
    many = Delivery(tmp_path, backend, images=150, seed="many")
    assert many.deliver() is None
    assert many.confirmed() == many.files
    arrived(backend, many.data_sets())


def test_a_check_is_quick_and_leaves_nothing_there(backend: Backend, delivery: Delivery) -> None:
    before = backend.entries()
    start = time.monotonic()
    check = delivery.target.check()
    assert (check.ok, time.monotonic() - start < 5) == (True, True), check.text
    assert check.text
    assert backend.entries() == before


def test_down_nothing_is_confirmed_and_the_target_is_to_blame_till_it_is_back(
    backend: Backend, delivery: Delivery
) -> None:
    backend.down()
    start = time.monotonic()
    trouble = delivery.deliver()
    check = delivery.target.check()
    assert time.monotonic() - start < 20
    backend.up()
    assert trouble is not None
    assert trouble.kind not in COUNTED_KINDS
    assert trouble.text
    assert delivery.confirmed() == []
    assert not check.ok
    assert check.text
    eventually(lambda: delivery.target.check().ok, seconds=20)
    assert delivery.deliver() is None
    arrived(backend, delivery.data_sets())


def test_a_time_limit_is_kept_and_blames_no_image(backend: Backend, tmp_path: Path) -> None:
    many = Delivery(tmp_path, backend, images=1500, seed="limit")
    start = time.monotonic()
    trouble = many.deliver(seconds=0.1)
    assert time.monotonic() - start < 20
    assert trouble is not None
    assert trouble.kind == "timeout"
    assert len(many.confirmed()) < len(many.files)


def test_told_to_stop_it_ends_soon_and_confirms_only_what_is_there(backend: Backend, tmp_path: Path) -> None:
    many = Delivery(tmp_path, backend, images=300, seed="stop")
    many.stopping = lambda: len(many.results) >= 3
    start = time.monotonic()
    trouble = many.deliver()
    assert time.monotonic() - start < 20
    assert trouble is None or trouble.kind not in COUNTED_KINDS
    eventually(lambda: set(many.data_sets(many.confirmed())) <= set(backend.data_sets()), seconds=20)


def test_an_image_that_cannot_be_read_keeps_no_other_from_arriving(backend: Backend, delivery: Delivery) -> None:
    (delivery.directory / delivery.files[1]).unlink()
    rest = [name for name in delivery.files if name != delivery.files[1]]
    trouble = delivery.deliver()
    assert trouble is not None
    assert trouble.kind in COUNTED_KINDS
    assert sorted(delivery.confirmed()) == sorted(rest)
    assert len({result.file for result in delivery.results}) == len(delivery.results)
    arrived(backend, delivery.data_sets(rest))


def test_what_is_reported_was_asked_for(backend: Backend, delivery: Delivery) -> None:
    delivery.deliver(delivery.files[:2])
    assert {result.file for result in delivery.results} <= set(delivery.files[:2])
    assert all(result.sop for result in delivery.results)


def test_its_settings_read_back_from_the_configuration(backend: Backend) -> None:
    model = MODELS[backend.settings["kind"]]
    settings = model.model_validate(backend.settings)
    assert model.model_validate_json(settings.model_dump_json(exclude_defaults=True)) == settings
    unknown: dict[str, Any] = {**backend.settings, "unheard_of": 1}
    with pytest.raises(ValueError, match="unheard_of"):
        model.model_validate(unknown)
