"""Saving: atomic, numbered, checked against what it was edited from, safe for two people and for a crash."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from mercure.clock import ManualClock
from mercure.config import Config, ConfigError, RevisionedFile, Root, StaleRevisionError
from mercure.services.common import open_store
from mercure.targets import MODELS
from tests.support.faults import Crash, crash_at, failing_at

if TYPE_CHECKING:
    from pathlib import Path

CLOCK = ManualClock()


@pytest.fixture
def file(tmp_path: Path) -> RevisionedFile[Config]:
    (tmp_path / "config").mkdir()
    return open_store(Root(tmp_path)).mercure


def named(name: str) -> Config:
    return Config.model_validate({"name": name, "rules": {"b": RULE, "a": RULE}, "targets": {"archive": TARGET}})


RULE: dict[str, Any] = {"rule": 'tags.Modality == "CT"', "targets": ["archive"]}
TARGET = MODELS["folder"].model_validate({"kind": "folder", "path": "/x"})


def save(file: RevisionedFile[Config], name: str, edited_from: int, author: str = "ann") -> int:
    return file.save(named(name), author=author, comment=f"now {name}", edited_from=edited_from, clock=CLOCK)


def by_hand(file: RevisionedFile[Config], name: str) -> None:
    content = json.loads(file.path.read_text(encoding="utf-8"))
    file.path.write_text(json.dumps({**content, "name": name}), encoding="utf-8")


def test_each_save_is_a_numbered_revision_with_author_time_and_comment(file: RevisionedFile[Config]) -> None:
    assert save(file, "one", 0) == 1
    assert save(file, "two", 1, author="bob") == 2
    assert file.revisions() == [1, 2]
    assert file.load().value == named("two")
    assert (file.load().revision, file.load().by_hand) == (2, False)
    old = file.revision(1)
    assert (old.author, old.comment, old.time, old.content["name"]) == ("ann", "now one", CLOCK.now(), "one")


def test_the_file_is_for_people(file: RevisionedFile[Config]) -> None:
    """Readable, in the order in which it was written, and without what is only a default."""
    save(file, "one", 0)
    text = file.path.read_text(encoding="utf-8")
    assert text.endswith("}\n")
    content = json.loads(text)
    assert list(content["rules"]) == ["b", "a"]
    assert set(content) == {"version", "name", "rules", "targets"}


def test_an_old_revision_can_be_brought_back(file: RevisionedFile[Config]) -> None:
    save(file, "one", 0)
    save(file, "two", 1)
    old = Config.model_validate(file.revision(1).content | {"targets": {"archive": TARGET}})
    assert file.save(old, author="ann", comment="back", edited_from=2) == 3
    assert file.load().value == named("one")


def test_a_change_of_what_somebody_else_changed_is_refused(file: RevisionedFile[Config]) -> None:
    save(file, "one", 0)
    save(file, "two", 1, author="bob")
    with pytest.raises(StaleRevisionError, match=r"revision 2, by bob.*from revision 1") as caught:
        save(file, "three", 1)
    assert "Load it again" in str(caught.value)
    assert file.load().value == named("two")


def test_a_hand_edit_is_seen_kept_as_a_revision_and_not_overwritten(file: RevisionedFile[Config]) -> None:
    save(file, "one", 0)
    by_hand(file, "hand")
    assert (file.load().revision, file.load().by_hand, file.load().value.name) == (1, True, "hand")
    with pytest.raises(StaleRevisionError, match="edited by hand"):
        save(file, "two", 1)
    assert (file.load().revision, file.load().by_hand, file.load().value.name) == (2, False, "hand")
    assert save(file, "two", 2) == 3
    assert [file.revision(number).author for number in (1, 2, 3)] == ["ann", "edited by hand", "ann"]


def test_a_first_file_written_by_hand_is_adopted(file: RevisionedFile[Config]) -> None:
    file.path.write_text('{"version": 1, "name": "hand"}', encoding="utf-8")
    assert (file.load().revision, file.load().by_hand) == (0, True)
    with pytest.raises(StaleRevisionError):
        save(file, "one", 0)
    assert save(file, "one", 1) == 2


def test_a_broken_file_is_replaced_by_a_good_save(file: RevisionedFile[Config]) -> None:
    save(file, "one", 0)
    file.path.write_text("{", encoding="utf-8")
    assert save(file, "two", 1) == 2
    assert file.load().value == named("two")


def test_what_would_be_refused_when_read_is_not_saved(file: RevisionedFile[Config]) -> None:
    save(file, "one", 0)
    broken = named("two").model_copy(update={"targets": {}})
    with pytest.raises(ConfigError, match="there is no target 'archive'"):
        file.save(broken, author="ann", comment="", edited_from=1)
    assert file.revisions() == [1]
    assert file.load().value == named("one")


def test_a_broken_revision_is_passed_over(file: RevisionedFile[Config]) -> None:
    save(file, "one", 0)
    save(file, "two", 1)
    (file.path.parent / "revisions" / "mercure" / "000002.json").write_text("{", encoding="utf-8")
    file.path.write_text("{", encoding="utf-8")
    good = file.last_good()
    assert good is not None
    assert (good.revision, good.value.name) == (1, "one")
    with pytest.raises(ConfigError, match="revision 2"):
        file.revision(2)
    with pytest.raises(ConfigError, match="revision 7"):
        file.revision(7)


def test_without_a_revision_there_is_no_last_good_one(file: RevisionedFile[Config]) -> None:
    assert file.last_good() is None
    assert file.revisions() == []
    assert file.signature() == ()


@pytest.mark.parametrize("how", ["crash", "ENOSPC", "EIO"])
def test_at_each_step_of_a_save_the_file_is_the_old_or_the_new_one_and_the_next_save_works(
    file: RevisionedFile[Config], how: str
) -> None:
    """Lesson 28. And nobody is told of a revision that never was in force, or of an edit by hand that never was."""
    save(file, "one", 0)
    number, name, seen = 1, "one", set()
    for step in range(1, 100):
        wanted = f"n{step}"
        faulty = crash_at(step) if how == "crash" else failing_at(step, how)
        with faulty as steps, suppress(Crash, OSError):
            save(file, wanted, number)
        loaded = file.load()
        assert not loaded.by_hand
        assert (loaded.revision, loaded.value.name) in ((number, name), (number + 1, wanted))
        assert file.revision(loaded.revision).content["name"] == loaded.value.name
        assert file.revisions()[-1] == loaded.revision
        seen.add(loaded.revision - number)
        again = save(file, f"m{step}", loaded.revision)
        assert again == loaded.revision + 1
        assert file.revisions() == list(range(1, again + 1))
        assert "edited by hand" not in {file.revision(n).author for n in file.revisions()}
        number, name = again, f"m{step}"
        if len(steps) < step:
            break
    assert seen == {0, 1}
    assert not [path for path in file.path.parent.iterdir() if path.name.startswith(".")]


SAVER = """
import sys
from pathlib import Path
from mercure.config import Root, StaleRevisionError
from mercure.services.common import open_store
file = open_store(Root(Path(sys.argv[1]))).mercure
sys.stdin.readline()
done = 0
while done < int(sys.argv[3]):
    loaded = file.load()
    change = loaded.value.model_copy(update={"name": f"{sys.argv[2]}-{done}"})
    try:
        file.save(change, author=sys.argv[2], comment=loaded.value.name, edited_from=loaded.revision)
        done += 1
    except StaleRevisionError:
        pass
"""


def test_two_savers_at_once_lose_none_of_each_others_changes(file: RevisionedFile[Config]) -> None:
    save(file, "start", 0)
    each = 15
    savers = [
        subprocess.Popen(
            [sys.executable, "-c", SAVER, str(file.path.parent.parent), author, str(each)], stdin=subprocess.PIPE
        )
        for author in ("ann", "bob")
    ]
    for saver in savers:
        assert saver.stdin is not None
        saver.stdin.write(b"\n")
        saver.stdin.flush()
    for saver in savers:
        saver.communicate(timeout=60)
        assert saver.returncode == 0
    assert file.revisions() == list(range(1, 2 * each + 2))
    revisions = [file.revision(number) for number in file.revisions()]
    for before, after in itertools.pairwise(revisions):
        assert after.comment == before.content["name"]  # each was made from the one right before it
    assert {revision.author for revision in revisions} == {"ann", "bob"}
    assert file.load().value.name == revisions[-1].content["name"]


def test_a_large_number_of_revisions_sorts_by_number(file: RevisionedFile[Config]) -> None:
    save(file, "one", 0)
    folder = file.path.parent / "revisions" / "mercure"
    for number in (9, 10, 999_999, 1_000_000):
        (folder / f"{number:06d}.json").write_bytes((folder / "000001.json").read_bytes())
    (folder / "notes.txt").write_text("x", encoding="utf-8")
    (folder / "7x.json").write_text("x", encoding="utf-8")
    assert file.revisions() == [1, 9, 10, 999_999, 1_000_000]


def test_a_change_made_from_an_edit_by_hand_is_saved_after_it(file: RevisionedFile[Config]) -> None:
    save(file, "one", 0)
    by_hand(file, "hand")
    loaded = file.load()
    changed = loaded.value.model_copy(update={"name": "changed"})
    with pytest.raises(StaleRevisionError):
        file.save(changed, author="ann", comment="", edited_from=loaded.revision)
    by_hand(file, "again")
    loaded = file.load()
    file.save(changed, author="ann", comment="", edited_from=loaded.revision, by_hand=loaded.by_hand)
    assert (file.load().by_hand, file.load().value.name) == (False, "changed")
    assert [file.revision(number).author for number in file.revisions()][-2:] == ["edited by hand", "ann"]
