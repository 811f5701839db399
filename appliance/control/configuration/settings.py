"""Single settings by their places: told with their meaning, and changed by text that the schema gives a type."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from appliance.control.api import configuration as api
from appliance.control.api.base import Nothing, Saved
from appliance.control.api.configuration import GetSettings, SetSettings, SettingsFound, SettingState
from appliance.control.configuration import changes, edits
from appliance.control.configuration.edits import Content, Edit
from appliance.control.configuration.effects import RENEWS, RESTART
from appliance.control.configuration.hidden_values import HiddenValues
from appliance.control.configuration.setting_paths import Node, leaves, node_at
from appliance.control.registry import carries_out
from appliance.control.session import Session
from appliance.presentation.setting_fields import MISSING, Field, text_of

PAGE_SECTIONS: Final = ("status_page", "site")
"""Of the configuration the status page sees these alone."""


@carries_out(api.PAGE)
def page(session: Session, wanted: Nothing) -> api.PageSettings:
    """Tell the settings of the status page."""
    content = session.config.model_dump(mode="json", include=set(PAGE_SECTIONS), exclude_defaults=True)
    return api.PageSettings(content=content)


@carries_out(api.GET)
def get(session: Session, wanted: GetSettings) -> SettingsFound:
    """Tell settings, what they mean and when they count.

    Raises
    ------
    ControlError
        There is nothing at this place.
    """
    content = {"version": 1, **session.config.model_dump(mode="json", exclude_defaults=True)}
    found = _states(node_at(content, wanted.place), HiddenValues.of(content))
    return SettingsFound(settings=tuple(found), revision=session.loaded.revision)


def _states(node: Node, hidden: HiddenValues) -> Iterator[SettingState]:
    """Yield what can be set at a place and below it."""
    for leaf in leaves(node):
        if leaf.field is not None:
            yield _state(leaf, leaf.field, hidden)


def _state(node: Node, field: Field, hidden: HiddenValues) -> SettingState:
    given = node.value is not MISSING
    value = hidden.shown(node.place, node.value) if given else node.default
    return SettingState(
        place=node.name,
        value=value,
        default=node.default,
        text=text_of(field, value),
        default_text=text_of(field, node.default),
        given=given,
        meaning=field.text,
        choices=field.choices,
        restart=RESTART.get(node.name, ""),
        renews=RENEWS.get(node.name, ""),
    )


@carries_out(api.SET)
def set_(session: Session, wanted: SetSettings) -> Saved:
    """Change settings by their places, or say what would be different."""
    places = ", ".join(wanted.settings)
    edit = with_settings(wanted.settings)
    return changed(session, "config.set", places, edit, wanted, check_only=wanted.check_only)


def changed(
    session: Session, verb: str, object: str, edit: Edit, wanted: edits.EditRequest, *, check_only: bool
) -> Saved:
    """Save a change, or say what would be different.

    Raises
    ------
    ControlError
        It cannot be used, names what is not there, or was made from an old revision.
    """
    if not check_only:
        return edits.apply(session, verb, object, edit, wanted, on_hand_edit=True)
    content = edit(changes.current(session, "mercure", wanted.edited_from))
    return changes.foreseen(session, "mercure", content, wanted.edited_from)


def with_settings(settings: Mapping[str, str]) -> Edit:
    """Make the change of settings by their places; an empty text brings the default back."""

    def edit(content: Content) -> Content:
        for place, text in settings.items():
            node = node_at(content, place)
            content = _put(content, node.place, MISSING if text == "" else _typed(node, text))
        return content

    return edit


def _typed(node: Node, text: str) -> Any:  # noqa: ANN401 - any JSON
    """Read a value; lists and objects may be given as JSON too."""
    field = node.field
    if field is not None and field.kind in {"words", "pairs", "rows", "secret"} and text[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except ValueError:
            pass
    return node.read(text)


def _put(content: Any, place: Iterable[str], value: Any) -> Content:  # noqa: ANN401 - any JSON
    """Put a value at a place; `MISSING` takes away what stands there."""
    key, *rest = place
    inner: Content = dict(content) if isinstance(content, Mapping) else {}
    if rest:
        return {**inner, key: _put(inner.get(key), rest, value)}
    if value is MISSING:
        return {name: each for name, each in inner.items() if name != key}
    return {**inner, key: value}
