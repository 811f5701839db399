"""Reference page of the metrics, made from their table (``python -m appliance.status_page.reference``)."""

from __future__ import annotations

import sys
from typing import Final

from appliance.status_page.metrics import FAMILIES
from appliance.status_page.prometheus import REQUESTS

_HEAD: Final = """\
# Metrics

<!-- Made by `python -m appliance.status_page.reference > docs/reference/metrics.md`; a test compares the two. -->

What `/metrics` of the [status page](../administration/status-page.md) tells, in the text format of Prometheus. Names
stay as they are: a test fails when one changes. [grafana-dashboard.json](../grafana-dashboard.json) shows them; import
it in Grafana and choose the data source.

- Gauges are of the moment, at most some seconds old. While the control service does not answer there is `mercure_up 0`,
  and none of the others.
- Counters are those of the [history](history.md#tables): exact over restarts and crashes, and as late as the history
  (`mercure_history_lag_seconds`). While the history cannot be asked they are missing.
- A label has at most `status_page.metric_labels` values (100); all further ones are told together as `other`. A sender
  is its AE title, or `AET@address` when `status_page.masked` is off.

| metric | type | labels | |
| --- | --- | --- | --- |
"""


def page() -> str:
    """Return the whole page."""
    rows = []
    for family in (*FAMILIES, REQUESTS):
        labels = ", ".join(f"`{label}`" for label in family.labels)
        rows.append(f"| `{family.exposed}` | {family.kind} | {labels} | {family.text} |\n")
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(page())
