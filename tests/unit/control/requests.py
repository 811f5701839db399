"""One request for each verb that makes sense at a freshly initialised root."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

TASK: Final = "20261121T120000000000-0a1b2c3d"
RULE: Final = {"rule": "True", "targets": ["delivered"]}
TARGET: Final = {"kind": "folder", "path": "/srv/elsewhere"}
_WHEN: Final = datetime(2026, 11, 21, tzinfo=UTC).isoformat()

REQUESTS: Final[dict[str, dict[str, Any]]] = {
    "status.get": {},
    "alerts.list": {},
    "alerts.acknowledge": {"key": "failed"},
    "whoami": {},
    "subscribe": {"topics": ["events"]},
    "queue.list": {},
    "queue.show": {"task": TASK},
    "queue.retry": {"task": TASK},
    "queue.hold": {"task": TASK, "reason": "why"},
    "queue.release": {"task": TASK},
    "queue.reroute": {"task": TASK, "target": "delivered"},
    "queue.discard": {"task": TASK},
    "queue.force_study": {"study": "1.2.3"},
    "history.series": {},
    "history.images": {"patient": "P1"},
    "history.tasks": {},
    "history.task": {"task": TASK},
    "history.events": {"type": "task."},
    "history.find": {"text": "P1"},
    "history.timeline": {"series": "1.2.3"},
    "history.counters": {"names": ["images.received"], "since": _WHEN, "until": _WHEN},
    "audit.list": {},
    "traffic.senders": {},
    "traffic.rates": {"hours": 2, "step": 15},
    "traffic.totals": {},
    "exams.find": {"accession": "A77"},
    "notifications.list": {},
    "notifications.test": {"channel": "mail"},
    "notifications.retry": {},
    "notifications.discard": {},
    "rules.list": {},
    "rules.check": {"expression": "tags.Modality == 'MR'"},
    "rules.explain": {"expression": "tags.Modality == 'MR'", "records": [{"Modality": "MR"}]},
    "rules.dry_run": {"rules": {"all": RULE}},
    "rules.series": {},
    "rules.save": {"rules": {"all": RULE}, "edited_from": 1},
    "rules.save_one": {"name": "new", "rule": RULE, "edited_from": 1},
    "rules.delete": {"name": "everything", "edited_from": 1},
    "rules.order": {"names": ["everything"], "edited_from": 1},
    "targets.list": {},
    "targets.echo": {"name": "delivered"},
    "targets.test_send": {"name": "delivered"},
    "targets.save": {"name": "new", "settings": TARGET, "edited_from": 1},
    "targets.delete": {"name": "delivered", "edited_from": 1},
    "services.list": {},
    "services.start": {"name": "router"},
    "services.stop": {"name": "router"},
    "services.restart": {"name": "router"},
    "services.scale": {"name": "router", "instances": 2, "edited_from": 1},
    "services.log": {"name": "router"},
    "config.show": {},
    "config.revisions": {},
    "config.compare": {"before": 1},
    "config.rollback": {"revision": 1, "edited_from": 1},
    "config.save": {"content": {"version": 1}, "edited_from": 1},
    "modules.list": {},
    "verify.run": {},
    "backup.create": {},
    "backup.list": {},
    "backup.check": {"name": "mercure.tar"},
}
