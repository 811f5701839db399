"""Text of a message: the configured template, else the built-in one."""

from __future__ import annotations

import logging
from typing import Any, Final

from mercure.config.notifications import NotificationSettings, Occasion, Wording
from mercure.notifications.templates import UnusableTemplateError, render
from mercure.printable import one_line

SUBJECT_CHARS: Final = 200

_ROUTER: Final = """\
Router:   {{ router }}{% if site %}, {{ site }}{% endif %}

Time:     {{ local_time }}
"""

_CALL: Final = """\
{% if site_contact or site_telephone %}

Questions? Call {{ site_contact }}{% if site_contact and site_telephone %}, {% endif %}{{ site_telephone }}.
{% endif %}
"""

_TASK: Final = """\
{% if rule %}
Rule:     {{ rule }}{% if comment %} ({{ comment }}){% endif %}

{% endif %}
{% if contact %}
Contact:  {{ contact }}
{% endif %}
{% if sender %}
Sender:   {{ sender }}
{% endif %}
{% if images %}
Images:   {{ images }}{% if modality %} {{ modality }}{% endif %}{% if late %}, came late{% endif %}

{% endif %}
{% if targets %}
Targets:  {{ targets | join(", ") }}
{% endif %}
{% if patient_data %}
Patient:  {{ patient_id }} {{ patient_name }}
Exam:     {{ accession }} {{ study_date }} {{ study_description }}
Series:   {{ series_description }}
{% endif %}
{% if task %}
Task:     {{ task }}

`mercure history tasks {{ task }}` tells all that happened.
{% endif %}
"""

_ABOUT: Final = _ROUTER + _TASK + _CALL

_MODULE_TEXT: Final = "{% if module_text %}\n{{ module_text }}\n\n{% endif %}\n"

_ALERT: Final = (
    """\
{{ text }}

{% if advice %}
What to do: {{ advice }}

{% endif %}
"""
    + _ROUTER
    + """\
{% if since %}
Since:    {{ local_since }}
{% endif %}
"""
    + _CALL
)

BUILT_IN: Final[dict[Occasion, Wording]] = {
    "reception": Wording(
        subject="[{{ router }}] {{ rule }}: received {{ images }} {{ 'image' if images == 1 else 'images' }}",
        text="A series was received to which the rule {{ rule }} applies.\n\n" + _ABOUT,
    ),
    "completion": Wording(
        subject="[{{ router }}] {{ rule }}: done",
        text="All that the rule {{ rule }} wanted is done.\n\n" + _MODULE_TEXT + _ABOUT,
    ),
    "error": Wording(
        subject="[{{ router }}] {{ rule }}: failed{% if target %} at {{ target }}{% endif %}",
        text="A task of the rule {{ rule }} has failed and waits for a person.\n\nReason:   {{ reason }}\n"
        "{% if advice %}\nAdvice:   {{ advice }}\n{% endif %}\n" + _ABOUT,
    ),
    "request": Wording(
        subject="[{{ router }}] {{ rule }}: {{ module }} asks for attention",
        text="The module {{ module }} asked for this message.\n\n" + _MODULE_TEXT + _ABOUT,
    ),
    "alert_raised": Wording(subject="[{{ router }}] {{ severity | upper }}: {{ text }}", text=_ALERT),
    "alert_cleared": Wording(subject="[{{ router }}] over: {{ text }}", text="This is over:\n\n" + _ALERT),
    "digest": Wording(
        subject="[{{ router }}] {{ count }} notifications",
        text="{{ count }} notifications came faster than they may be sent one by one.\n\n"
        "{% for subject in subjects %}\n{{ subject }}\n{% endfor %}\n\n" + _ROUTER + _CALL,
    ),
    "test": Wording(
        subject="[{{ router }}] a test",
        text="This is a test of the notifications of {{ router }}, asked for by {{ by }}.\nNothing has happened.\n\n"
        + _ROUTER
        + _CALL,
    ),
}
"""The words for each occasion."""

_log = logging.getLogger(__name__)


def words(settings: NotificationSettings, occasion: Occasion, values: dict[str, Any]) -> tuple[str, str]:
    """Return subject and text of a message.

    A template of the configuration was tried when it was saved; one that fails for these values all the same gives way
    to the built-in words, because a message in other words is better than none.
    """
    own, built_in = settings.templates.get(occasion, Wording()), BUILT_IN[occasion]
    subject = _filled(own.subject, built_in.subject, values, occasion)
    return one_line(subject, SUBJECT_CHARS), _filled(own.text, built_in.text, values, occasion)


def _filled(own: str, built_in: str, values: dict[str, Any], occasion: Occasion) -> str:
    if own:
        try:
            return render(own, values)
        except UnusableTemplateError as error:
            _log.error("a template gives way to the built-in words", extra={"occasion": occasion, "reason": str(error)})
    return render(built_in, values)
