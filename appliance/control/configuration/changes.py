"""Saving a configuration file: checked, audited, and never over what somebody else saved meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.control.api.base import Difference, Problem, Saved
from appliance.control.api.configuration import FileName
from appliance.control.configuration.differences import differences
from appliance.control.configuration.effects import RENEWS, RESTART, services_of
from appliance.control.configuration.hidden_values import HIDDEN, HiddenValues
from appliance.control.errors import ControlError
from appliance.control.registry import warnings_of
from appliance.control.session import Session
from mercure.config import Config, ConfigError, ConfigProblem, RevisionedFile, StaleRevisionError
from mercure.config.files import HAND_EDIT
from mercure.config.problems import template_problems
from mercure.event_details import Audit, ConfigSaved
from mercure.events import EventWriter
from mercure.notifications.template_checks import tried
from mercure.spool.place import change_problems


@dataclass(frozen=True, kw_only=True)
class Change:
    """What somebody wants to be the newest revision of a file.

    Parameters
    ----------
    verb, object : str
        For the audit.
    content : dict
        The whole file as it is to be.
    edited_from : int
        The revision that it was made from.
    comment : str
        Why; the verb and its object when there is none.
    file : str
        Which one.
    by_hand : bool
        It was made from what a person wrote into the file, and not only from `edited_from`.
    defaults : mapping
        What was in force at places of which the file said nothing, for the audit.
    """

    verb: str
    object: str
    content: dict[str, Any]
    edited_from: int
    comment: str = ""
    file: FileName = "mercure"
    by_hand: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def why(self) -> str:
        """What stands beside the revision."""
        return self.comment or f"{self.verb} {self.object}".strip()


def file_of(session: Session, name: FileName) -> RevisionedFile[Any]:
    """Return one of the two files."""
    return session.store.mercure if name == "mercure" else session.store.services


def current(session: Session, name: FileName, edited_from: int) -> dict[str, Any]:
    """Return the content in force, for a change of a part of it.

    Raises
    ------
    ControlError
        It is not the revision that the change was made from.
    """
    loaded = session.loaded if name == "mercure" else session.services
    if loaded.revision != edited_from:
        raise stale(file_of(session, name), edited_from)
    return _normal(loaded.value)


def save(session: Session, change: Change) -> Saved:
    """Make some content the newest revision of a file, and audit it.

    Raises
    ------
    ControlError
        ``invalid`` with all problems, or ``stale`` with what is different since the revision it was made from.
    """
    file = file_of(session, change.file)
    value = checked(session, change.file, change.content)
    warned = _warnings(session, value)
    changed = differences(_content(file, change.edited_from), _normal(value))
    known = file.revisions()
    with session.changing() as events:
        try:
            revision = file.save(
                value,
                author=session.user,
                comment=change.why,
                edited_from=change.edited_from,
                by_hand=change.by_hand,
                clock=session.clock,
            )
        except StaleRevisionError as error:
            _tell_hand_edit(file, known, events)
            raise stale(file, change.edited_from) from error
        _tell_hand_edit(file, known, events)
        told = change.why if change.file == "mercure" else f"{file.path.name}: {change.why}"
        events.emit(ConfigSaved(revision=revision, by=session.user, comment=told))
        before = {
            item.place: change.defaults.get(item.place) if item.before is None else item.before for item in changed
        }
        after = {item.place: item.after for item in changed}
        session.audit(events, change.verb, change.object, before=before, after=after)
    return _saved(change.file, revision, changed, warned)


def _tell_hand_edit(file: RevisionedFile[Any], known: Collection[int], events: EventWriter) -> None:
    """Record what somebody wrote into the file himself, with who it was where that can be told."""
    for number in file.revisions():
        saved = file.revision(number) if number not in known else None
        if saved is not None and saved.author == HAND_EDIT:
            events.emit(ConfigSaved(revision=number, by=HAND_EDIT, comment=saved.comment))
            changed = differences(_content(file, max(known, default=0)), saved.content)
            before, after = ({item.place: getattr(item, side) for item in changed} for side in ("before", "after"))
            what = f"{file.path.name}: {saved.comment}"
            events.emit(Audit(by=HAND_EDIT, verb="config.by_hand", object=what, before=before, after=after))


def checked(session: Session, name: FileName, content: dict[str, Any]) -> Any:  # noqa: ANN401 - the model of the file
    """Turn content into the model of its file; what a person has left hidden is what it was.

    Raises
    ------
    ControlError
        ``invalid``, with every problem.
    """
    content = _with_hidden(session, name, content)
    parse = session.store.parse if name == "mercure" else session.store.parse_services
    try:
        value = parse(content)
        if isinstance(value, Config):
            before, wanted = (session.root.named_spool(config) for config in (session.config, value))
            problems = change_problems(session.root.path, before, wanted)
            if problems and wanted != before:
                raise ConfigError("mercure.json", problems)
            if problems := template_problems(value, tried):
                raise ConfigError("mercure.json", problems)
    except ConfigError as error:
        raise invalid(error) from error
    return value


def _with_hidden(session: Session, name: FileName, content: dict[str, Any]) -> dict[str, Any]:
    """Put back what was left hidden in some content.

    Raises
    ------
    ControlError
        Something is hidden where there was nothing.
    """
    known = _normal((session.loaded if name == "mercure" else session.services).value)
    hidden = HiddenValues.of(known)
    whole: dict[str, Any] = hidden.restored((), content, known)
    if places := tuple(hidden.left((), whole)):
        text, advice = f"{HIDDEN} stands for a value that is not known here", "write the value itself"
        raise invalid(ConfigError(f"{name}.json", [ConfigProblem(place, text, advice) for place in places]))
    return whole


def foreseen(session: Session, name: FileName, content: dict[str, Any], revision: int) -> Saved:
    """Tell what saving some content would change in a revision.

    Raises
    ------
    ControlError
        It cannot be used, or there is no such revision.
    """
    value = checked(session, name, content)
    changed = differences(_content(file_of(session, name), revision), _normal(value))
    return _saved(name, revision, changed, _warnings(session, value))


def _warnings(session: Session, value: Any) -> tuple[str, ...]:  # noqa: ANN401 - the model of a file
    return warnings_of(session, value) if isinstance(value, Config) else ()


def _saved(name: FileName, revision: int, changed: tuple[Difference, ...], warnings: tuple[str, ...]) -> Saved:
    restart, renews = (services_of(table, changed) if name == "mercure" else () for table in (RESTART, RENEWS))
    return Saved(file=name, revision=revision, difference=changed, restart=restart, renews=renews, warnings=warnings)


def invalid(error: ConfigError) -> ControlError:
    """Say what is wrong with a configuration."""
    problems = tuple(Problem(place=item.place, text=item.text, advice=item.advice) for item in error.problems)
    first, more = error.problems[0], len(problems) - 1
    text = f"{first.place}: {first.text}" + (f" (and {more} more)" if more else "")
    return ControlError("invalid", f"{error.file} cannot be saved: {text}", first.advice, problems=problems)


def stale(file: RevisionedFile[Any], edited_from: int) -> ControlError:
    """Say that somebody else saved meanwhile, and what."""
    newest = next(iter(reversed(file.revisions())), 0)
    how = "changed"
    changed: tuple[Difference, ...] = ()
    try:
        loaded = file.load()
        changed = differences(_content(file, edited_from), _normal(loaded.value))
        author = file.revision(newest).author
        how = HAND_EDIT if loaded.by_hand or author == HAND_EDIT else f"changed by {author}"
    except (ConfigError, ControlError):
        pass  # without the difference the refusal still holds
    text = f"{file.path.name} was {how}: it is at revision {newest}, and this change was made from {edited_from}"
    return ControlError("stale", text, "load it again and repeat the change", difference=changed)


def _content(file: RevisionedFile[Any], revision: int) -> dict[str, Any]:
    if revision == 0:
        return {}
    try:
        return file.revision(revision).content
    except ConfigError as error:
        raise ControlError("not-found", str(error), "`config.revisions` lists them") from error


def _normal(value: Any) -> dict[str, Any]:  # noqa: ANN401 - the model of a file
    """Return the content as a revision holds it."""
    content: dict[str, Any] = value.model_dump(mode="json", exclude_defaults=True)
    return {"version": 1, **content}
