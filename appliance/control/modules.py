"""What a person can ask of the processing modules."""

from __future__ import annotations

from collections import Counter

from appliance.control.api.configuration import ModuleState
from appliance.control.listing import rows_of
from appliance.control.session import Session
from mercure.spool import Stage


def list_modules(session: Session) -> list[ModuleState]:
    """List all modules with what waits for them, in the order of the configuration."""
    rows = rows_of(session, (Stage.PROCESSING, Stage.ERROR))
    waiting = Counter(row.module for row in rows if row.stage is Stage.PROCESSING)
    failed = Counter(row.module for row in rows if row.stage is Stage.ERROR)
    config = session.config
    return [
        ModuleState(
            name=name,
            runner=module.runner,
            image=module.image,
            disabled=module.disabled,
            settings=module.model_dump(mode="json", exclude_defaults=True),
            waiting=waiting[name],
            failed=failed[name],
            rules=tuple(rule for rule, content in config.rules.items() if name in content.modules),
        )
        for name, module in config.modules.items()
    ]
