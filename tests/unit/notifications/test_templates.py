"""Templates: what may stand in one, and that nothing in one can get out of the sandbox or grow."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from mercure.config.notifications import OCCASIONS, NotificationSettings, Wording
from mercure.notifications.message_facts import PATIENT_DATA, MessageFacts, some_lines
from mercure.notifications.message_text import BUILT_IN, SUBJECT_CHARS, words
from mercure.notifications.templates import MAX_RENDERED, UnusableTemplateError, problems_of, render, tried
from mercure.printable import one_line

FULL = MessageFacts(
    router="box",
    occasion="completion",
    rule="mr",
    task="t1",
    images=2,
    targets=("archive", "research"),
    patient_id="P1",
    patient_name="Doe^Jane",
    accession="A1",
    study_uid="1.2",
    series_uid="1.2.3",
    study_date="20260102",
    study_description="Knee",
    series_description="sag",
    module_text="looks odd",
    subjects=("one", "two"),
)

ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ rule.__class__.__mro__ }}",
    "{{ ''['__class__'] }}",
    "{{ rule | attr('__class__') }}",
    "{{ self.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ config }}",
    "{{ lipsum() }}",
    "{{ range(10) }}",
    "{{ 'a'.format(1) }}",
    "{{ '%s' % rule }}",
    "{{ targets.append('x') }}",
    "{% include '/etc/passwd' %}",
    "{% import 'x' as y %}",
    "{% extends 'x' %}",
    "{% macro m() %}{% endmacro %}",
    "{% set x = 1 %}",
    "{% filter upper %}x{% endfilter %}",
    "{% with a = 1 %}{% endwith %}",
    "{% raw %}{% endraw %}{{ x }}",
]
GROWTHS = [
    "{{ 'x' * 10**9 }}",
    "{{ 10**10**10 }}",
    "{{ 'x' | center(1000000000) }}",
    "{{ 'x' | replace('x', 'xx') }}",
    "{{ '%1000000000d' | format(1) }}",
    "{% for a in rule %}x{% endfor %}",
    "{% for a in targets %}{% for b in targets %}x{% endfor %}{% endfor %}",
    "{% for a in targets recursive %}{{ loop(targets) }}{% endfor %}",
    "{% for a in [1, 2] %}x{% endfor %}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ " + "1" * 9000 + " }}",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_no_way_out_of_the_sandbox_is_let_in(text: str) -> None:
    assert problems_of(text)
    with pytest.raises(UnusableTemplateError):
        render(text, FULL.values(patient_data=True))


@pytest.mark.parametrize("text", GROWTHS)
def test_nothing_that_grows_is_let_in_or_it_stays_small(text: str) -> None:
    began = time.monotonic()
    problems = problems_of(text)
    if not problems:
        assert len(render(text, FULL.values(patient_data=True))) <= MAX_RENDERED
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("text", "where", "advice"),
    [
        ("a\n{{ rul }}", "line 2: there is no value 'rul'", "did you mean 'rule'?"),
        ("{{ rule | uper }}", "line 1: there is no filter 'uper'", "did you mean 'upper'?"),
        ("{% if rule is definde %}{% endif %}", "line 1: there is no test 'definde'", "did you mean 'defined'?"),
        ("{{ rule", "line 1: unexpected end of template", "Jinja"),
        ("{% for s in subjects %}", "line 1: Unexpected end of template", "Jinja"),
        ("{{ images | join }}", "line 1: join puts together a list", "targets"),
        ("{{ rule < 1 }}", "it cannot be filled in", "docs/reference/notifications.md"),
    ],
)
def test_a_problem_has_its_line_and_an_advice(text: str, where: str, advice: str) -> None:
    [(found, todo)] = tried(text)
    assert found.startswith(where)
    assert advice in todo


_LONG = "x" * 1000
MULTIPLIED = [
    "{{ " + " | join(".join([f"'{_LONG}'"] * 4) + ")" * 3 + " }}",
    "{{ '" + _LONG + "'" + f" | join('{_LONG}')" * 3 + " }}",
    "{{ reason" + " | join(reason)" * 8 + " }}",
    "{{ (targets | join(reason))" + " | join(reason)" * 4 + " }}",
    "{{ rule | default(reason | join(reason)) | join(reason | join(reason)) }}",
    "{% for subject in subjects %}{{ subject | join(reason) | join(reason) }}{% endfor %}",
    "{{ " + " ~ ".join(["(subjects | join(reason))"] * 500) + " }}",
]
"""Each makes hundreds of megabytes, or would."""


@pytest.mark.parametrize("text", MULTIPLIED)
def test_what_multiplies_is_counted_before_anything_is_made(text: str) -> None:
    values = FULL.model_copy(update={"reason": "r" * 4000, "subjects": ("s" * 1000,) * 50}).values(patient_data=True)
    tracemalloc.start()
    try:
        assert tried(text)
        with pytest.raises(UnusableTemplateError, match="characters"):
            render(text, values)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{ targets | join(', ') }}", "archive, research"),
        ("{% for s in subjects %}{{ s }}: {{ reason }}\n{% endfor %}", "one: \ntwo: "),
        ("{{ patient_name | upper | truncate(3, true, '.', 0) }}", "DO."),
    ],
)
def test_what_does_not_multiply_goes_on(text: str, told: str) -> None:
    assert tried(text) == []
    assert render(text, FULL.values(patient_data=True)).startswith(told)


def test_nothing_is_evaluated_while_a_configuration_is_looked_through() -> None:
    assert problems_of("{{ rule < 1 }}") == []
    assert tried("{{ rule < 1 }}")


def test_what_people_need_is_let_in() -> None:
    text = (
        "{% for target in targets if target != 'x' %}{{ loop.index }}. {{ target | upper }}{{ ', ' if not loop.last }}"
        "{% endfor %}{% if images > 1 and not late %} {{ images }} {{ 'images' ~ '!' }}{% endif %}{# a comment #}"
    )
    assert problems_of(text) == []
    assert render(text, FULL.values(patient_data=True)) == "1. ARCHIVE, 2. RESEARCH 2 images!"


@pytest.mark.parametrize("occasion", OCCASIONS)
def test_the_built_in_words_can_be_used(occasion: str) -> None:
    wording = next(value for key, value in BUILT_IN.items() if key == occasion)
    assert [tried(text) for text in (wording.subject, wording.text)] == [[], []]


@pytest.mark.parametrize("occasion", OCCASIONS)
def test_without_permission_no_patient_data_is_told(occasion: str) -> None:
    facts = MessageFacts.model_validate(
        FULL.model_dump() | {"occasion": occasion, **{name: f"<{name}>" for name in PATIENT_DATA}}
    )
    everything = " ".join(f"{{{{ {name} }}}}" for name in MessageFacts.model_fields)
    own = NotificationSettings(templates={facts.occasion: Wording(subject=everything[:900], text=everything)})
    for settings in (NotificationSettings(), own):
        masked = words(settings, facts.occasion, facts.values(patient_data=False))
        assert not [name for name in PATIENT_DATA if f"<{name}>" in "".join(masked)]
    told = words(own, facts.occasion, facts.values(patient_data=True))
    assert all(f"<{name}>" in told[1] for name in PATIENT_DATA)


def test_a_hostile_name_makes_one_line() -> None:
    facts = FULL.model_copy(update={"patient_name": "Doe\r\nBcc: all@example.org\u2028\x1b[31m\u202e\0x" + "y" * 5000})
    values = facts.values(patient_data=True)
    settings = NotificationSettings(templates={"completion": Wording(subject="{{ patient_name }}\n{{ rule }}")})
    subject, text = words(settings, "completion", values)
    assert subject.startswith("Doe Bcc: all@example.org [31m x")
    assert len(subject) <= SUBJECT_CHARS
    assert subject.isprintable()
    assert not {"\r", "\x1b", "\0", "\u202e", "\u2028"} & set(text)


def test_a_text_of_a_module_keeps_its_lines_and_no_more() -> None:
    assert some_lines("a\r\nb\x07c\n" + "d\n" * 500).splitlines()[:2] == ["a", "b c"]
    assert len(some_lines("d\n" * 500).splitlines()) == 50
    assert one_line("  a \t b\n") == "a b"


def test_a_template_that_fails_for_some_values_gives_way_to_the_built_in_words() -> None:
    settings = NotificationSettings(templates={"test": Wording(text="{{ by | int | round(3) }}{{ nothing }}")})
    subject, text = words(
        settings, "test", MessageFacts(occasion="test", router="box", by="me").values(patient_data=False)
    )
    assert subject == "[box] a test"
    assert text.startswith("This is a test of the notifications of box, asked for by me.")
