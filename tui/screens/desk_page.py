"""What can be done with exams that have left the queue: send and decide again, compare, receipt, keep, undo."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from appliance.control.rpc.client import Nothing, Progress, api
from appliance.presentation.figures import moment
from appliance.presentation.phrases import plural
from appliance.presentation.resends import SHORT, plan_in_words
from mercure.printable import printable
from tui.screens.bulk_page import BulkPage, names
from tui.screens.long_actions import bar_text
from tui.widgets.dialogs import Choose, Confirm, Show

if TYPE_CHECKING:
    from tui.screens.page import Page

R = TypeVar("R")

UNDO_HINT: Final = "u undoes it"
_ITS_OWN: Final = "its own target"
_MOST_LINES: Final = 9
_DAYS: Final = {"1 week": 7, "2 weeks": 14, "1 month": 30, "3 months": 91, "1 year": 365}
_KINDS: Final = ("study", "patient", "task")
_RULES_DECIDE: Final = "The rules in force decide, as if it had just arrived; targets that have it get it again."
_BEHIND: Final = "It goes behind all that arrives meanwhile; `:resends` pauses and stops it."


@dataclass(frozen=True)
class Subject:
    """What an action is about: in words, by what it is found, and of which exam it is.

    Parameters
    ----------
    words : str
        For questions.
    listed : str
        Task id, or Series Instance UID.
    task, study, patient, accession : str
        Empty: not known.
    """

    words: str
    listed: str
    task: str = ""
    study: str = ""
    patient: str = ""
    accession: str = ""

    @property
    def exam(self) -> str:
        """By what a target is asked for it."""
        return self.study or self.accession


class DeskPage(BulkPage[R]):
    """A table of tasks or series. A subclass gives `subject` and takes `desk_handlers`."""

    def subject(self, row: R) -> Subject:
        """Say what a row is about."""
        raise NotImplementedError

    def desk_handlers(self) -> Mapping[str, Callable[[], None]]:
        """Return what is called for the keys of the desk."""
        return {
            "send-again": self._send_again,
            "decide-again": self._decide_again,
            "missing": self.with_row(self._missing),
            "receipt": self.with_row(self._receipt),
            "keep": self._keep,
        }

    def subjects(self) -> list[Subject]:
        """Return what the chosen rows are about; where there is none, it is said."""
        found = [subject for row in self.table.chosen if (subject := self.subject(row)).listed]
        if not found:
            self.say(f"there is no {self.WORDS[0]} with a UID to do this to", "warning")
        return found

    # Send again, decide again.

    def _send_again(self) -> None:
        subjects = self.subjects()
        if subjects and self.router.who is not None and self.router.who.role == "admin":
            self.ask(api.targets.LIST, Nothing(), lambda found: self._choose_target(subjects, found))
        elif subjects:
            self._plan(subjects, "again")

    def _choose_target(self, subjects: Sequence[Subject], targets: api.targets.Targets) -> None:
        found = [(target.name, "disabled" if target.disabled else target.kind) for target in targets.targets]

        def chosen(name: str) -> None:
            if name == _ITS_OWN:
                self._plan(subjects, "again")
            else:
                self._plan(subjects, "elsewhere", (name,))

        texts = [
            names([subject.words for subject in subjects]),
            "First you see what would be sent; nothing is sent yet.",
        ]
        places = [(_ITS_OWN, "where it was sent, or failed"), *found]
        self.when_answered(Choose("Send again to which target?", texts, places), chosen)

    def _decide_again(self) -> None:
        subjects = self.subjects()
        if subjects:
            self._plan(subjects, "anew")

    def _plan(self, subjects: Sequence[Subject], how: Any, to: tuple[str, ...] = ()) -> None:  # noqa: ANN401 - of the API
        listed = tuple(dict.fromkeys(subject.listed for subject in subjects))
        plan_and_ask(self, api.resend.PlanResend(how=how, to=to, listed=listed))

    # What is missing at a target.

    def _missing(self, row: R) -> None:
        subject = self.subject(row)
        if subject.exam:
            self.ask(api.targets.LIST, Nothing(), lambda found: self._choose_node(subject, found))
        else:
            self.say("it came without a Study Instance UID and an accession number: no target can be asked", "warning")

    def _choose_node(self, subject: Subject, targets: api.targets.Targets) -> None:
        from tui.screens.compare import ComparePage  # noqa: PLC0415 - only when it is wanted

        nodes = [(target.name, target.kind) for target in targets.targets if target.kind == "dicom"]
        if not nodes:
            self.say("there is no DICOM target that could be asked", "warning")
            return

        def chosen(name: str) -> None:
            self.app.push_screen(ComparePage(self.NAME, name, subject.exam))

        texts = [subject.words, "It is asked what it has of the exam. Nothing is sent or changed there."]
        self.when_answered(Choose("What is missing at which target?", texts, nodes), chosen)

    # A receipt.

    def _receipt(self, row: R) -> None:
        subject = self.subject(row)
        if not subject.exam:
            self.say("it came without a Study Instance UID and an accession number", "warning")
            return

        def sure(_: str) -> None:
            wanted = api.receipt.MakeReceipt(
                study=subject.study or None, accession=None if subject.study else subject.exam
            )
            self.ask(api.receipt.MAKE, wanted, lambda made: self._keep_receipt(subject, made))

        what = f"study {subject.study}" if subject.study else f"accession number {subject.accession}"
        texts = [
            subject.words,
            f"A signed statement of {what}: which images came when from whom, and were delivered where and when. It is "
            f"written to a new file in {Path.cwd()}, and the audit has that you asked for it. Nothing else changes.",
        ]
        self.when_answered(Confirm("Sign a receipt?", texts, "Sign"), sure)

    def _keep_receipt(self, subject: Subject, made: api.receipt.ReceiptMade) -> None:
        name = re.sub(r"[^A-Za-z0-9.-]+", "-", subject.accession or subject.study)
        stamp = f"{self.router.heard:%Y%m%dT%H%M%S}" if self.router.heard else "now"
        path = Path(f"mercure-receipt-{name}-{stamp}.json").absolute()
        try:
            with open(path, "x", encoding="ascii", newline="", opener=partial(os.open, mode=0o600)) as file:
                file.write(made.document)
        except OSError as error:
            self.say(f"{path}: {error.strerror}", "error")
        else:
            images = plural(made.counts.images, "image")
            self.say(f"receipt of {images}: {path.name}\nin {path.parent}; `mercure receipt verify` checks it")

    # Keep.

    def _keep(self) -> None:
        subjects = self.subjects()
        if not subjects:
            return
        found = [(kind, names(_values(subjects, kind)).replace("\n", ", ")) for kind in _KINDS]
        texts = [
            "It is kept beyond its retention, also when the disk is full. Study and patient: also what comes later."
        ]
        kinds = [(kind, text) for kind, text in found if text]
        self.when_answered(Choose("Keep what?", texts, kinds), lambda kind: self._choose_end(subjects, kind))

    def _choose_end(self, subjects: Sequence[Subject], kind: str) -> None:
        now = self.router.heard
        if now is None:
            self.say("keep: the router has not said yet what time it is; try again in a moment", "warning")
            return
        ends = {text: now + timedelta(days=days) for text, days in _DAYS.items()}
        rows = [(text, f"until {moment(end)}") for text, end in ends.items()]
        question = Choose("Keep for how long?", ["No keep is without an end."], rows)
        self.when_answered(question, lambda text: self._sure_to_keep(subjects, kind, ends[text]))

    def _sure_to_keep(self, subjects: Sequence[Subject], kind: str, until: datetime) -> None:
        by_value = {getattr(subject, kind): subject for subject in subjects if getattr(subject, kind)}
        rows = [row for row in self.table.chosen if self.subject(row) in by_value.values()]

        def sure(reason: str) -> None:
            self.each(
                api.keep.ADD,
                lambda row: api.keep.AddKeep(until=until, reason=reason, **{kind: getattr(self.subject(row), kind)}),
                f"kept until {moment(until)}",
                undo="`:keeps` ends it",
                rows=rows,
            )

        texts = [
            names(list(by_value)),
            f"Nothing of it is removed before {moment(until)}. All keeps have a common ceiling: more is refused.",
        ]
        title = f"Keep {plural(len(by_value), kind, 'studies' if kind == 'study' else '')}?"
        self.when_answered(Confirm(title, texts, "Keep", reason=True, needed=True), sure)

    # Undo.

    def ask_undo(self, rows: Sequence[R], then: Callable[[], None] = lambda: None) -> None:
        """Ask, and undo the last hold, reroute or discard of tasks."""
        verb = api.queue.TASK_VERBS["undo"]
        if not rows:
            self.say("there is no task to undo anything of", "warning")
            return

        def sure(reason: str) -> None:
            then()
            self.each(
                api.queue.UNDO,
                lambda row: api.queue.ChangeTask(task=self.subject(row).task, reason=reason),
                verb.done,
                rows=rows,
            )

        words = names([self.subject(row).words for row in rows])
        texts = [words, "The last hold, reroute or discard by a person is undone. " + verb.more]
        title = f"Undo what was done to {plural(len(rows), 'task')}?"
        self.when_answered(Confirm(title, texts, "Undo", reason=True), sure)


def _values(subjects: Iterable[Subject], kind: str) -> list[str]:
    return list(dict.fromkeys(filter(None, (getattr(subject, kind) for subject in subjects))))


def plan_and_ask(page: Page, wanted: api.resend.PlanResend) -> None:
    """Ask what would be sent again, show it, and begin when a person agrees."""

    def told(progress: Progress) -> None:
        page.headline((f"planning: {bar_text(progress)}", "busy"))

    def planned(plan: api.resend.ResendPlan) -> None:
        page.show_note()
        _show_plan(page, wanted, plan)

    page.ask(api.resend.PLAN, wanted, planned, progress=told)


def _show_plan(page: Page, wanted: api.resend.PlanResend, plan: api.resend.ResendPlan) -> None:
    lines = list(plan_in_words(plan))
    shown = [
        *lines[:_MOST_LINES],
        *([f"  and {len(lines) - _MOST_LINES} more lines"] if len(lines) > _MOST_LINES else []),
    ]
    if not plan.series:
        page.app.push_screen(Show("Nothing can be sent again", [((printable(line), ""),) for line in shown[1:]]))
        return

    def sure(reason: str) -> None:
        request = api.resend.BeginResend(**wanted.model_dump(), digest=plan.digest, reason=reason)
        page.ask(api.resend.BEGIN, request, lambda job: _begun(page, job))

    anew = wanted.how == "anew"
    title = f"Decide again on {plan.series} series?" if anew else f"Send {plural(plan.images, 'image')} again?"
    texts = [*shown, *([_RULES_DECIDE] if anew else []), _BEHIND]
    page.when_answered(Confirm(title, texts, "Decide again" if anew else "Send again", reason=True), sure)


def _begun(page: Page, job: api.resend.ResendState) -> None:
    page.say(f"job {job.id[-SHORT:]} sends {job.items} series again · `:resends` shows, pauses and stops it")
    page.refresh_data()
