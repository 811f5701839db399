"""Secrets in a configuration are shown nowhere, and are kept where a person saves what was shown."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from appliance.control import api
from appliance.control.configuration import edits
from appliance.control.configuration.hidden_values import HIDDEN, HiddenValues, webhook_address
from appliance.control.errors import ControlError
from appliance.control.rpc.client import Client
from appliance.control.session import Session
from appliance.presentation.setting_fields import fields_of_schema
from mercure.config import Config
from mercure.model import described_schema
from mercure.spool import Stage
from tests.support.tasks import PutTask, events_of

WORD = "hunter2"
ENVIRONMENT = ("modules", "m", "environment")
ARGUMENTS = ("modules", "m", "arguments")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("PASSWORD", WORD, HIDDEN),
        ("PGPASSWORD", WORD, HIDDEN),
        ("DB_PASS_1", WORD, HIDDEN),
        ("API_KEY", WORD, HIDDEN),
        ("apiKey", WORD, HIDDEN),
        ("HF_TOKEN", WORD, HIDDEN),
        ("AWS_SECRET_ACCESS_KEY", WORD, HIDDEN),
        ("LICENSE_KEY", WORD, HIDDEN),
        ("GITHUB_PAT", WORD, HIDDEN),
        ("LOGIN", WORD, HIDDEN),  # by its mark
        ("DATABASE_URI", f"postgresql://u:{WORD}@h/db", f"postgresql://u:{HIDDEN}@h/db"),
        ("DATABASE_URI", f"postgresql://u:a@{WORD}/?b@h:5432/db", f"postgresql://u:{HIDDEN}@h:5432/db"),
        ("DATABASE_URI", f"postgresql://u:a'{WORD}/b@h/db", f"postgresql://u:{HIDDEN}@h/db"),
        ("DATABASE_URI", f"host=db user=u password={WORD},x dbname=d", f"host=db user=u password={HIDDEN} dbname=d"),
        ("ODBC", f"Server=x;Uid=u;Pwd={WORD};", f"Server=x;Uid=u;Pwd={HIDDEN};"),
        ("JDBC", f"jdbc:postgresql://h/d?user=u&password={WORD}", f"jdbc:postgresql://h/d?user=u&password={HIDDEN}"),
        ("CACHE", f"redis://:{WORD}@h:6379/0", f"redis://:{HIDDEN}@h:6379/0"),
        ("HTTPS_PROXY", f"http://u:{WORD}@proxy:3128", f"http://u:{HIDDEN}@proxy:3128"),
        ("https_proxy", f"u:{WORD}@proxy:3128", f"u:{HIDDEN}@proxy:3128"),
        ("REPOSITORY", f"https://{WORD}@git.example/x", f"https://{HIDDEN}@git.example/x"),
        ("SENTRY_DSN", f"https://{WORD}@o1.sentry.example/1", f"https://{HIDDEN}@o1.sentry.example/1"),
        ("SERVICE", f"https://h/x?token={WORD}&depth=3", f"https://h/x?token={HIDDEN}&depth=3"),
        ("REPORT_TO", f"https://hooks.slack.com/services/T0/B0/{WORD}", f"https://hooks.slack.com/{HIDDEN}"),
        ("REPORT_TO", f"https://h.example/webhook/{WORD}", f"https://h.example/{HIDDEN}"),
        ("OPTIONS", f'{{"password": "{WORD} x", "depth": 3}}', f'{{"password": {HIDDEN}, "depth": 3}}'),
        ("OPTIONS", f"--depth 3 --token {WORD} -v", f"--depth 3 --token {HIDDEN} -v"),
        ("HEADER", f"Authorization: Bearer {WORD}{WORD}", f"Authorization: {HIDDEN} {HIDDEN}"),
        ("PEM", f"-----BEGIN PRIVATE KEY-----\n{WORD}", HIDDEN),
        ("X", f"ghp_{WORD}{WORD}{WORD}", HIDDEN),
    ],
)
def test_a_secret_is_hidden(name: str, value: str, shown: str) -> None:
    hidden = HiddenValues(frozenset({"LOGIN"}))
    assert hidden.shown((*ENVIRONMENT, name), value) == shown
    assert hidden.restored((*ENVIRONMENT, name), shown, value) == value
    assert list(hidden.left(ENVIRONMENT, {name: shown})) == [f"modules.m.environment.{name}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LANG", "de_DE.UTF-8"),
        ("KEYBOARD", "de"),
        ("MONKEY", "x"),
        ("AUTHOR", "x"),
        ("COMPASS", "x"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("PWD", "/data"),
        ("PATH", "/usr/bin:/bin"),
        ("PASSWORD_FILE", "/run/secrets/password"),
        ("PASSWORD", ""),
        ("DEPTH", "3"),
        ("START", "20:00"),
        ("NOW", "2026-01-01T20:00:00+01:00"),
        ("PEER", "10.0.0.1:104"),
        ("SERVICE", "http://[::1]:8080/x?depth=3"),
        ("REPOSITORY", "git@git.example:org/repository"),
        ("HISTORY", "postgresql://mercure@h/db"),
        ("LABELS", "a:b,c:d"),
    ],
)
def test_what_is_no_secret_is_shown(name: str, value: str) -> None:
    assert HiddenValues().shown((*ENVIRONMENT, name), value) == value
    assert list(HiddenValues().left((*ENVIRONMENT, name), value)) == []


def test_words_after_an_option_and_values_within_settings() -> None:
    hidden = HiddenValues()
    words = ["--depth", "3", "--password", WORD, f"--api-key={WORD}", "-v"]
    shown = ["--depth", "3", "--password", HIDDEN, f"--api-key={HIDDEN}", "-v"]
    assert hidden.shown(ARGUMENTS, words) == shown
    assert hidden.restored(ARGUMENTS, shown, words) == words
    assert hidden.restored(ARGUMENTS, [*shown, "new"], words) == [*words, "new"]
    nested = {"credentials": {"user": "u", "phrase": WORD}, "pin": 1234, "depth": 3, "tokens": [WORD, WORD]}
    place = ("rules", "r", "module_settings")
    told = hidden.shown(place, nested)
    assert told == {
        "credentials": {"user": HIDDEN, "phrase": HIDDEN},
        "pin": HIDDEN,
        "depth": 3,
        "tokens": [HIDDEN] * 2,
    }
    assert hidden.restored(place, told, nested) == nested


def test_of_a_list_that_changed_only_what_can_be_told_apart_comes_back() -> None:
    hidden, words = HiddenValues(), ["--token", "a", "--token", "b"]
    kept = hidden.restored(ARGUMENTS, ["--token", HIDDEN], words)
    assert kept == ["--token", HIDDEN]
    assert list(hidden.left(ARGUMENTS, kept)) == ["modules.m.arguments"]


def test_of_a_webhook_only_the_host_is_shown() -> None:
    assert webhook_address(f"https://h:8443/a/{WORD}?x={WORD}") == f"https://h:8443/{HIDDEN}"
    assert webhook_address(f"https://h?{WORD}") == f"https://h/{HIDDEN}"
    assert webhook_address("https://h/") == "https://h/"


def test_no_setting_of_our_own_is_hidden_but_where_a_secret_would_be() -> None:
    schema = described_schema(Config)
    content = {field.name: "x" for field in fields_of_schema(schema) if field.kind == "text"}
    for name, text in content.items():
        assert HiddenValues().shown(tuple(name.split(".")), text) == text, name


# Every way by which a configuration is shown.

MODULE = {
    "runner": "command", "image": "/bin/true", "arguments": ["--token", WORD], "hidden": ["ward", "LOGIN"],
    "environment": {"API_TOKEN": WORD, "LOGIN": WORD, "PROXY": f"http://u:{WORD}@p:1", "LANG": "C"},
    "settings": {"password": WORD, "ward": WORD, "depth": 3},
}  # fmt: skip
RULE = {"rule": "True", "action": "process", "modules": ["m"], "module_settings": {"ward": WORD, "depth": 4}}
HOOK = {"kind": "webhook", "url": f"https://hooks.example/{WORD}"}


@pytest.fixture
def secrets(session: Session) -> Session:
    """Give a router with secrets wherever they may be."""
    content = session.config.model_dump(mode="json", exclude_defaults=True)
    content |= {"modules": {"m": MODULE}, "history": {"url": f"postgresql://u:{WORD}@127.0.0.1:1/db"}}
    content["rules"] = {**content["rules"], "r": RULE}
    content["notifications"] = {"channels": {"hook": HOOK}}
    session.store.mercure.save(session.store.parse(content), author="t", comment="", edited_from=1)
    events_of(session)
    return Session(session.root, "alice", clock=session.clock)


def shown_by(client: Client, put_task: PutTask) -> Iterator[tuple[str, str]]:
    get = api.configuration.GetSettings
    task = put_task(Stage.ROUTING, module_settings={"ward": WORD}, step_settings=({"password": WORD},))
    for name, answer in {
        "show": client.call(api.configuration.SHOW),
        "all": client.call(api.configuration.GET, get()),
        "one": client.call(api.configuration.GET, get(place="modules.m.environment.LOGIN")),
        "pairs": client.call(api.configuration.GET, get(place="modules.m.environment")),
        "sections": client.call(api.configuration.SECTIONS),
        "modules": client.call(api.configuration.MODULES),
        "rules": client.call(api.rules.LIST),
        "diff": client.call(api.configuration.COMPARE, api.configuration.CompareRevisions(before=1)),
        "revisions": client.call(api.configuration.REVISIONS, api.configuration.ListRevisions()),
        "notifications": client.call(api.notifications.LIST, api.notifications.ListNotifications()),
        "task": client.call(api.queue.SHOW, api.queue.OneTask(task=task.id)),
    }.items():
        yield name, answer.model_dump_json()


@pytest.mark.usefixtures("secrets")
def test_no_answer_has_a_secret(client: Client, put_task: PutTask) -> None:
    found = dict(shown_by(client, put_task))
    assert [name for name, text in found.items() if WORD in text] == []
    assert HIDDEN in found["show"]


def values(session: Session) -> dict[str, Any]:
    found: dict[str, Any] = session.store.mercure.load().value.model_dump(mode="json", exclude_defaults=True)
    return found


def test_what_was_shown_can_be_saved(client: Client, secrets: Session) -> None:
    before = values(secrets)
    shown = client.call(api.configuration.SHOW).mercure
    whole = api.configuration.SaveConfig(content={**shown.content, "name": "a"}, edited_from=shown.revision)
    saved = client.call(api.configuration.SAVE, whole)
    assert [item.place for item in saved.difference] == ["name"]
    (module,) = client.call(api.configuration.MODULES).modules
    request = {"name": "m2", "rename_from": "m", "settings": {**module.settings, "memory_bytes": 2**30}}
    saved = client.call(api.modules.SAVE, api.modules.SaveModule(**request, edited_from=saved.revision))
    rules = {item.name: item.rule.model_dump(mode="json") for item in client.call(api.rules.LIST).rules}
    saved = client.call(api.rules.SAVE, api.rules.SaveRules(rules=rules, edited_from=saved.revision))
    channels = next(it for it in client.call(api.configuration.SECTIONS).sections if it.place.endswith("channels"))
    section = {"place": channels.place, "name": "hook", "values": {**channels.values["hook"], "comment": "x"}}  # type: ignore[dict-item]
    save = api.configuration.SaveSection.model_validate({**section, "edited_from": saved.revision})
    saved = client.call(api.configuration.SAVE_SECTION, save)
    text = client.call(api.configuration.GET, api.configuration.GetSettings(place="modules.m2.environment"))
    one = {"modules.m2.environment": f"{text.settings[0].text} NEW=1"}
    client.call(api.configuration.SET, api.configuration.SetSettings(settings=one, edited_from=saved.revision))
    after = values(secrets)
    assert after["modules"]["m2"] == {
        **before["modules"]["m"], "memory_bytes": 2**30, "environment": {**MODULE["environment"], "NEW": "1"},  # type: ignore[dict-item]
    }  # fmt: skip
    assert after["rules"]["r"]["module_settings"] == RULE["module_settings"]
    assert after["notifications"]["channels"]["hook"] == {**HOOK, "comment": "x"}
    assert after["history"] == before["history"]
    audits = [event.details for event in events_of(secrets) if event.type == "audit"]
    assert len(audits) == 5
    assert WORD not in repr(audits)


def test_what_is_hidden_and_not_known_is_refused(client: Client, secrets: Session) -> None:
    revision = secrets.loaded.revision
    for settings in ({"modules.m.environment.OTHER_TOKEN": HIDDEN}, {"modules.m.settings.label": HIDDEN}):
        with pytest.raises(ControlError) as caught:
            client.call(api.configuration.SET, api.configuration.SetSettings(settings=settings, edited_from=revision))
        assert caught.value.kind == "invalid"
        assert [problem.place for problem in caught.value.problems] == list(settings)
    new = api.modules.SaveModule(
        name="copy", settings={**MODULE, "environment": {"A_TOKEN": HIDDEN}}, edited_from=revision
    )
    with pytest.raises(ControlError, match="not known"):
        client.call(api.modules.SAVE, new)
    assert secrets.store.mercure.revisions()[-1] == revision


def test_a_value_may_be_replaced_and_removed(client: Client, secrets: Session) -> None:
    request = {"modules.m.environment.API_TOKEN": "hunter3", "modules.m.environment.LOGIN": ""}
    saved = client.call(
        api.configuration.SET, api.configuration.SetSettings(settings=request, edited_from=secrets.loaded.revision)
    )
    assert "hunter" not in repr(saved)
    environment = values(secrets)["modules"]["m"]["environment"]
    assert (environment.get("API_TOKEN"), environment.get("LOGIN")) == ("hunter3", None)


@pytest.mark.parametrize(
    "settings",
    [
        {"modules.m.environment": f"API_TOKEN= {WORD}"},
        {"modules.m.environment.1X": WORD},
        {"history.url": f"mysql://u:{WORD}@h/db"},
        {"notifications.channels.hook.url": f"ftp://h/{WORD}"},
        {"notifications.channels.hook.url": f"https://u:{WORD}@h/"},
        {"notifications.channels.hook.token": WORD},
    ],
)
def test_no_error_repeats_a_secret(client: Client, secrets: Session, settings: dict[str, str]) -> None:
    request = api.configuration.SetSettings(settings=settings, edited_from=secrets.loaded.revision)
    with pytest.raises(ControlError) as caught:
        client.call(api.configuration.SET, request)
    assert WORD not in caught.value.data().model_dump_json() + caught.value.text


def test_a_revision_that_is_damaged_is_told_without_what_is_in_it(secrets: Session, client: Client) -> None:
    path = next(iter(secrets.store.mercure.path.parent.glob("revisions/mercure/*2.json")))
    path.write_text(path.read_text()[:-40])
    found = client.call(api.configuration.REVISIONS, api.configuration.ListRevisions())
    assert any(item.problem for item in found.revisions)
    assert WORD not in found.model_dump_json()


def test_a_module_that_does_not_fit_is_told_without_its_values(secrets: Session) -> None:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    try:
        content = edits.with_entry("modules", "m", {**MODULE, "environment": {"API_TOKEN": [WORD]}})(values(secrets))
        with pytest.raises(Exception, match="API_TOKEN") as caught:
            secrets.store.parse(content)
        logging.getLogger("x").error("it failed", exc_info=caught.value)
    finally:
        logging.getLogger().removeHandler(handler)
    assert WORD not in log.getvalue()
