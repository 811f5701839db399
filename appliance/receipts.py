"""Receipts where they are read: the check, and a page to print; no router, history or spool is needed for either.

The signed file is what can be verified. The page is what it says, for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from appliance.control.api.receipt import (
    FORMAT,
    ReceiptChecked,
    ReceiptStatement,
    StatedCounts,
    StatedImage,
    StatedSeries,
    StatedTask,
)
from appliance.presentation.figures import grouped
from appliance.signatures import PublicKey, SignatureError, read, verify
from mercure.printable import printable

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="color-scheme" content="light">
<title>Receipt {{ asked }} · {{ said.node }}</title>
<style>
body { font: 10pt/1.4 sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em }
table { border-collapse: collapse; width: 100%; margin: 0 0 1.5em }
th, td { border-bottom: 1px solid #999; padding: .2em .8em .2em 0; text-align: left; vertical-align: top }
thead { display: table-header-group }
tr { break-inside: avoid }
code { font: 8.5pt monospace; overflow-wrap: anywhere }
@page { margin: 1.5cm }
</style>
</head>
<body>
<h1>Receipt {{ asked }}</h1>
<p>Router <b>{{ said.node }}</b> (release {{ said.version }}) states, {{ said.made }}, asked by {{ said.made_by }}:
{{ said.counts.images }} images of {{ said.counts.series }} series were received in {{ said.counts.arrivals }} arrivals,
and {{ said.counts.deliveries }} deliveries of single images were confirmed. {{ said.counts.on_disk }} images are still
on its disk. All times are UTC.</p>
<h2>Series</h2>
<table>
<thead><tr><th>Series</th><th>Study</th><th>Accession</th><th>Patient</th><th>Modality</th><th>Router</th></tr></thead>
<tbody>
{% for one in said.series %}
<tr><td><code>{{ one.series_uid }}</code> {{ one.description }}</td>
<td><code>{{ one.study_uid }}</code> {{ one.study_date }}</td>
<td>{{ one.accession }}</td><td>{{ one.patient_id }}</td><td>{{ one.modality }}</td><td>{{ one.node }}</td></tr>
{% endfor %}
</tbody>
</table>
<h2>Tasks</h2>
<table>
<thead><tr><th>Task</th><th>For</th><th>Images</th><th>State</th><th>Attempts</th></tr></thead>
<tbody>
{% for task in said.tasks %}
<tr><td><code>{{ task.task }}</code></td>
<td>{{ task.target or task.module or task.action }}</td><td>{{ task.images }}</td>
<td>{{ task.state }} {{ task.since }} {{ task.reason }}</td>
<td>{% for attempt in task.attempts %}
{{ attempt.number }}: {{ attempt.time }} {{ attempt.outcome }}, {{ attempt.confirmed }} confirmed
{{ attempt.error }}<br>{% endfor %}</td></tr>
{% endfor %}
</tbody>
</table>
<h2>Images</h2>
<table>
<thead><tr><th>SOP Instance UID</th><th>Received</th><th>Delivered</th></tr></thead>
<tbody>
{% for image in said.images %}
<tr><td><code>{{ image.sop }}</code></td>
<td>{% for at in image.arrivals %}{{ at.time }} from {{ at.calling_aet }} ({{ at.address }}
{%- if at.certificate_subject %}, certificate {{ at.certificate_subject }}{% endif %}),
association <code>{{ at.association }}</code>{% if at.repetition %}, a repetition{% endif %}<br>
{% if at.digest %}<code>{{ at.digest }}</code><br>{% endif %}
{% if at.sha256 %}<code>sha256:{{ at.sha256 }}</code>
{%- if at.intact is false %} <b>ALTERED since</b>{% endif %}<br>{% endif %}
{% endfor %}</td>
<td>{% for at in image.deliveries %}{{ at.time }} at {{ at.target }} {{ at.status }} ({{ at.source }})<br>
{% endfor %}</td></tr>
{% endfor %}
</tbody>
</table>
<h2>Signature</h2>
<p>This page is a rendering of a signed file, whose SHA-256 is <code>{{ sha256 }}</code>. Verify the file, with a
fingerprint that you have from the hospital and not from here:
<code>mercure receipt verify FILE --fingerprint …</code></p>
<p>{{ signed.algorithm }}, key <code>{{ key }}</code><br>signature <code>{{ signed.signature }}</code></p>
</body>
</html>
"""


def counts_of(
    series: Sequence[StatedSeries], images: Sequence[StatedImage], tasks: Sequence[StatedTask]
) -> StatedCounts:
    """Count what a statement names."""
    return StatedCounts(
        series=len(series),
        images=len(images),
        arrivals=sum(len(image.arrivals) for image in images),
        on_disk=sum(any(arrival.sha256 for arrival in image.arrivals) for image in images),
        deliveries=sum(len(image.deliveries) for image in images),
        tasks=len(tasks),
    )


def check(data: bytes, key: PublicKey) -> ReceiptChecked:
    """Check a receipt with a key that comes from outside.

    Parameters
    ----------
    data : bytes
        The file.
    key : PublicKey
        Of the router that is said to have signed it.
    """
    try:
        found = verify(data, FORMAT, key)
        statement = ReceiptStatement.model_validate(found)
    except SignatureError as error:
        return ReceiptChecked(ok=False, problem=f"{error}{_missing(data)}")
    except ValidationError:
        problem = "it is signed, and by a newer router than this program knows: use a program of that release"
        return ReceiptChecked(ok=False, problem=problem)
    counted = counts_of(statement.series, statement.images, statement.tasks)
    if counted != statement.counts:
        return ReceiptChecked(ok=False, problem="it is signed, and does not name as much as it says")
    return ReceiptChecked(
        ok=True,
        fingerprint=key.fingerprint,
        counts=counted,
        **statement.model_dump(include={"node", "made", "made_by", "accession", "study_uid"}),
    )


def _missing(data: bytes) -> str:
    """Say how many images are missing or too many in a receipt that was changed, where that can be seen."""
    try:
        statement: Any = read(data)["statement"]
        said, named = statement["counts"]["images"], len(statement["images"])
    except (SignatureError, KeyError, TypeError):
        return ""
    return f" (it says that it names {said} images, and names {named})" if said != named else ""


def page(signed: Mapping[str, Any], sha256: str) -> str:
    """Write the page of a receipt.

    Parameters
    ----------
    signed : mapping
        The decoded file.
    sha256 : str
        Of the file.
    """
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - the control service makes no page

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    said = signed["statement"]
    template = environment.from_string(_PAGE)
    asked = said["accession"] or said["study_uid"]
    return template.render(signed=signed, said=said, asked=asked, sha256=sha256, key=grouped(signed["key"])) + "\n"


def _shown(value: object) -> object:
    """Write nothing for what is not known, and escapes for what must not be shown as it is."""
    if value is None:
        return ""
    return printable(value) if isinstance(value, str) else value
