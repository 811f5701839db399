"""Changes of the configuration at a shell: shown, asked about, saved under a name, never over those of others."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from appliance.cli import exit_codes
from appliance.cli.changes import confirm, saved_lines
from appliance.control.api.base import Saved
from appliance.control.api.configuration import SetSettings
from appliance.control.configuration import settings
from appliance.control.session import Session
from mercure.config import Root
from tests.support.command_line import Call

Editor = Any


def revisions(root: Path) -> list[tuple[int, str, str]]:
    file = Session(Root(root), "x").store.mercure
    return [(number, file.revision(number).author, file.revision(number).comment) for number in file.revisions()]


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Editor:
    """Give a function that makes the editor of a person: what each of its calls does to the file, as Python."""

    def make(*calls: str) -> Path:
        program = tmp_path / "editor.py"
        last = len(calls) - 1
        lines = [
            "import json, os, pathlib, sys",
            "path, count = pathlib.Path(sys.argv[1]), pathlib.Path(__file__ + '.count')",
            "done = int(count.read_text()) if count.exists() else 0",
            "count.write_text(str(done + 1))",
            "text = path.read_text()",
            f"exec({list(calls)!r}[min(done, {last})])",
        ]
        body = "\n".join(lines)
        program.write_text(body)
        monkeypatch.setenv("EDITOR", f"{sys.executable} '{program}'")
        monkeypatch.delenv("VISUAL", raising=False)
        return Path(f"{program}.count")

    return make


NAMED = "path.write_text(json.dumps({**json.loads(text), 'name': 'ward'}))"


def kept_copy(stderr: str) -> Path:
    found = re.search(r"kept in (\S+)", stderr)
    assert found is not None, stderr
    return Path(found[1])


class TestSet:
    def test_the_difference_is_shown_and_asked_about(self, call: Call, root: Path) -> None:
        result = call("config", "set", "retention.success_days", "14", input="n\n")
        assert result.exit_code != 0
        assert '+ retention: {"success_seconds": 1209600.0}' in result.stderr
        assert len(revisions(root)) == 1
        result = call("config", "set", "retention.success_days", "14", "--comment", "the disk is large", input="y\n")
        assert (result.exit_code, result.stdout) == (0, "saved as revision 2\ncounts now\n")
        assert revisions(root)[1][2] == "the disk is large"

    def test_a_script_that_nobody_answers_saves_nothing(self, call: Call, root: Path) -> None:
        assert call("config", "set", "retention.success_days", "14", input="").exit_code != 0
        assert len(revisions(root)) == 1

    def test_when_it_counts_is_told(self, call: Call) -> None:
        page = call("config", "set", "status_page.port", "8081", "--yes").stdout
        assert "counts after a restart of the page: `mercure service restart page`" in page
        receiver = call("config", "set", "receiver.port", "11113", "--yes").stdout
        assert "counts within seconds: the receiver ends what it has begun" in receiver
        assert "counts now" not in page + receiver

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("receiver.prot", "1"), "did you mean 'port'?"),
            (("receiver.port", "abc"), "'abc' is not a whole number"),
            (("receiver.ae_title", "x" * 17), "an AE title has 1 to 16 printable ASCII characters"),
            (("receiver.ae_title", "\u00e9"), "an AE title has 1 to 16 printable ASCII characters"),
            (("receiver.access", "listed"), "'listed' without a sender would reject everybody"),
            (("off_peak.timezone", "Berlin"), "is not a time zone"),
        ],
    )
    def test_what_makes_no_sense_is_a_sentence(self, call: Call, root: Path, arguments: Any, said: str) -> None:
        result = call("config", "set", *arguments, "--yes")
        assert result.exit_code == exit_codes.FAILED
        assert said in " ".join(result.stderr.split())
        assert len(revisions(root)) == 1

    def test_a_place_without_a_value_is_a_usage_error(self, call: Call) -> None:
        assert call("config", "set", "receiver.port").exit_code == exit_codes.USAGE

    def test_blanks_in_an_ae_title_stay_within_it_and_go_at_its_ends(self, call: Call) -> None:
        call("config", "set", "receiver.ae_title", " CT ROUTER ", "receiver.called_aets", 'CT ONE, "A,B" ,ct2', "--yes")
        assert call("config", "get", "receiver.ae_title").stdout == "CT ROUTER\n"
        found = json.loads(call("config", "get", "receiver.called_aets", "--json").stdout)["settings"]
        assert found[0]["value"] == ["CT ONE", "A,B", "ct2"]

    def test_what_is_so_already_makes_no_revision(self, call: Call, root: Path) -> None:
        assert "nothing is changed" in call("config", "set", "receiver.port", "11112", "--yes").stderr
        assert len(revisions(root)) == 1

    def test_a_hand_edit_is_kept_as_a_revision_and_built_upon(self, call: Call, root: Path) -> None:
        path = root / "config" / "mercure.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "ward"}))
        assert call("config", "set", "retention.success_days", "14", "--yes").exit_code == 0
        assert [author for _, author, _ in revisions(root)][1] == "edited by hand"
        content = json.loads(path.read_text())
        assert (content["name"], content["retention"]) == ("ward", {"success_seconds": 1209600.0})


class TestGet:
    def test_the_value_alone_is_on_standard_output(self, call: Call) -> None:
        result = call("config", "get", "receiver.access")
        assert result.stdout == "open\n"
        assert "default: open; counts now" in result.stderr

    def test_a_section_is_a_table(self, call: Call) -> None:
        assert "targets.delivered.kind" in call("config", "get", "targets.delivered").stdout


class TestRevisions:
    def test_they_are_listed_compared_and_rolled_back(self, call: Call, root: Path) -> None:
        call("config", "set", "name", "ward", "--yes")
        call("config", "set", "name", "other", "--yes")
        assert "in force" in call("config", "history").stdout.splitlines()[1]
        assert call("config", "diff").stdout == '~ name: "ward" → "other"\n'
        assert call("config", "diff", "1").stdout == '+ name: "other"\n'
        assert call("config", "diff", "1", "2").stdout == '+ name: "ward"\n'
        result = call("config", "rollback", "2", input="y\n")
        assert '~ name: "other" → "ward"' in result.stderr
        assert call("config", "get", "name").stdout == "ward\n"
        assert len(revisions(root)) == 4

    def test_a_roll_back_that_is_not_wanted_changes_nothing(self, call: Call, root: Path) -> None:
        call("config", "set", "name", "ward", "--yes")
        assert call("config", "rollback", "1", input="n\n").exit_code != 0
        assert len(revisions(root)) == 2

    def test_a_revision_that_is_not_there_is_told(self, call: Call) -> None:
        assert call("config", "rollback", "99", "--yes").exit_code == exit_codes.NOT_FOUND
        assert call("config", "diff", "99").exit_code == exit_codes.NOT_FOUND


class TestEdit:
    def test_it_is_checked_shown_and_saved(self, call: Call, root: Path, editor: Editor) -> None:
        editor(NAMED)
        result = call("config", "edit", "--comment", "moved", input="y\n")
        assert '+ name: "ward"' in result.stderr
        assert result.stdout == "saved as revision 2\ncounts now\n"
        assert revisions(root)[1][2] == "moved"

    def test_the_copy_is_private_and_goes_away(self, call: Call, tmp_path: Path, editor: Editor) -> None:
        told = tmp_path / "told"
        editor(f"pathlib.Path({str(told)!r}).write_text(json.dumps([str(path), os.stat(path.parent).st_mode]))")
        assert "nothing is changed" in call("config", "edit").stderr
        path, mode = json.loads(told.read_text())
        assert stat.S_IMODE(mode) == 0o700
        assert not Path(path).parent.exists()

    def test_half_a_file_is_refused_and_can_be_edited_again(self, call: Call, root: Path, editor: Editor) -> None:
        half, good = "path.write_text(text[:len(text) // 2])", 'path.write_text(\'{"name": "ward"}\')'
        editor(half, "path.write_text('[1]')", "path.write_text('')", good)
        result = call("config", "edit", input="y\ny\ny\ny\n")
        assert result.stderr.count("cannot be saved") == 3
        assert "not JSON" in result.stderr
        assert "saved as revision 2" in result.stdout

    def test_what_cannot_be_used_is_kept_when_the_person_gives_up(self, call: Call, root: Path, editor: Editor) -> None:
        editor("path.write_text(text.replace('receiver', 'reciever'))")
        result = call("config", "edit", input="n\n")
        assert result.exit_code != 0
        assert "did you mean 'receiver'?" in result.stderr
        copy = kept_copy(result.stderr)
        assert "reciever" in copy.read_text()
        assert len(revisions(root)) == 1

    def test_a_key_that_stands_twice_is_refused(self, call: Call, editor: Editor) -> None:
        editor('path.write_text(\'{"name": "a", "name": "b"}\')')
        assert "name: stands there twice" in call("config", "edit", input="n\n").stderr

    def test_two_people_and_the_second_is_refused_with_what_the_first_did(
        self, call: Call, root: Path, editor: Editor
    ) -> None:
        other = (
            "from appliance.control.session import Session; from mercure.config import Root;"
            "from appliance.control.configuration import settings;"
            "from appliance.control.api.configuration import SetSettings;"
            f"settings.set_(Session(Root(pathlib.Path({str(root)!r})), 'bob'),"
            "SetSettings(settings={'retention.success_days': '14'}, edited_from=1));" + NAMED
        )
        editor(other)
        result = call("config", "edit", "--yes")
        assert result.exit_code == exit_codes.BUSY
        assert "changed by bob" in result.stderr
        assert "success_seconds" in result.stderr
        assert '"ward"' in kept_copy(result.stderr).read_text()
        assert [author for _, author, _ in revisions(root)][1:] == ["bob"]

    def test_an_editor_that_fails_or_is_not_there_saves_nothing(
        self, call: Call, root: Path, editor: Editor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        editor(f"{NAMED}; sys.exit(3)")
        result = call("config", "edit", "--yes")
        assert "ended with code 3" in result.stderr
        assert kept_copy(result.stderr).exists()
        monkeypatch.setenv("EDITOR", "/nowhere/editor")
        assert "/nowhere/editor cannot be started" in call("config", "edit", "--yes").stderr
        assert len(revisions(root)) == 1

    def test_a_file_that_cannot_be_used_is_edited_from_its_last_good_revision(
        self, call: Call, root: Path, editor: Editor
    ) -> None:
        (root / "config" / "mercure.json").write_text("{")
        editor(NAMED)
        result = call("config", "edit", "--yes")
        assert "cannot be used as it is" in result.stderr
        assert "saved as revision 2" in result.stdout


class TestEntries:
    def test_a_target_from_nothing_to_nothing(self, call: Call, root: Path) -> None:
        made = call("targets", "add", "pacs", "kind=dicom", "host=h", "port=104", "called_aet=PACS ONE")
        assert made.exit_code == 0, made.stderr
        call("targets", "set", "pacs", "retry.cap_seconds=5m", "comment=a=b")
        call("rules", "set", "everything", "targets=pacs,delivered")
        assert call("targets", "rename", "pacs", "archive").exit_code == 0
        assert call("config", "get", "rules.everything.targets").stdout == "archive, delivered\n"
        assert call("config", "get", "targets.archive.comment").stdout == "a=b\n"
        refused = call("targets", "remove", "archive")
        assert "there is no target 'archive'" in refused.stderr
        call("rules", "set", "everything", 'targets=["delivered"]')
        assert call("targets", "remove", "archive").exit_code == 0
        assert "archive" not in call("targets", "list").stdout

    def test_rules_are_added_and_ordered(self, call: Call) -> None:
        call("rules", "add", "mr", "rule=tags.Modality == 'MR'", "targets=delivered")
        call("rules", "order", "mr", "everything")
        assert call("rules", "list").stdout.splitlines()[1].startswith("mr ")
        call("rules", "set", "ct", "rule=True", "targets=delivered")
        assert "ct" in call("rules", "list").stdout

    def test_a_channel_is_listed_and_its_password_is_never_taken(self, call: Call, root: Path) -> None:
        call("channels", "add", "it", "kind=email", "host=h", "sender=a@b.example", "recipients=c@d.example")
        assert "c@d.example" in call("channels", "list").stdout
        result = call("channels", "set", "it", "username=x", "password=hunter2")
        assert "give file:/path, or env:NAME" in result.stderr
        assert "hunter2" not in result.output
        assert call("channels", "set", "it", "username=x", "password=file:/etc/key").exit_code == 0

    def test_a_wrong_setting_or_name_is_told(self, call: Call) -> None:
        assert "did you mean 'comment'?" in call("targets", "set", "delivered", "coment=x").stderr
        assert call("targets", "set", "delivred", "comment=x").exit_code == exit_codes.NOT_FOUND
        assert call("targets", "set", "delivered", "comment").exit_code == exit_codes.USAGE


def test_another_person_is_told_by_name(root: Path, call: Call) -> None:
    wanted = SetSettings(settings={"name": "ward"}, edited_from=1)
    settings.set_(Session(Root(root), "bob"), wanted)
    assert "bob" in call("config", "history").stdout
    assert os.path.isdir(root)


def test_whom_a_change_refuses_is_said_before_it_is_saved_and_after(capsys: pytest.CaptureFixture[str]) -> None:
    saved = Saved(file="mercure", revision=2, warnings=("it refuses 1 sender of the last 14 days: MR1@10.0.0.9",))
    confirm(saved, yes=True)
    warning = "warning: it refuses 1 sender of the last 14 days: MR1@10.0.0.9"
    assert warning in capsys.readouterr().err
    assert warning in list(saved_lines(saved))
