"""``targets.*``."""

from __future__ import annotations

from appliance.control.api import targets as api
from appliance.control.api.base import Nothing, Saved
from appliance.control.configuration import edits
from appliance.control.targets import probe as target_probe
from appliance.control.targets import probe_send, targets
from appliance.control.verbs import Asked, carries_out
from mercure.model import described_schema
from mercure.targets import MODELS


@carries_out(api.LIST)
def list_(asked: Asked, wanted: Nothing) -> api.Targets:
    """List them."""
    return api.Targets(
        targets=tuple(targets.list_targets(asked.session)),
        revision=asked.session.loaded.revision,
        kinds={kind: described_schema(model) for kind, model in MODELS.items()},
    )


@carries_out(api.ECHO)
def echo(asked: Asked, wanted: api.EchoTarget) -> api.EchoAnswer:
    """Ask one."""
    if wanted.settings is None:
        return targets.echo(asked.session, wanted.name)
    return targets.echo_settings(asked.session, wanted.name, wanted.settings)


@carries_out(api.TEST_SEND)
def test_send(asked: Asked, wanted: api.TestSend) -> api.TestSent:
    """Send made-up images."""
    return probe_send.send(asked.session, wanted.name, wanted.images, asked.report)


@carries_out(api.PROBE)
def probe(asked: Asked, wanted: api.ProbeTarget) -> api.Probed:
    """Ask one what it takes."""
    return target_probe.probe(asked.session, wanted.name, wanted.associations, asked.report)


@carries_out(api.KNOWN)
def known(asked: Asked, wanted: api.OneTarget) -> api.Probed:
    """Tell what one takes."""
    return target_probe.known(asked.session, wanted.name)


@carries_out(api.SAVE)
def save(asked: Asked, wanted: api.SaveTarget) -> Saved:
    """Add or change one."""
    change = edits.with_target(wanted.name, wanted.settings, wanted.rename_from)
    return edits.apply(
        asked.session, "targets.save", wanted.name, change, edited_from=wanted.edited_from, comment=wanted.comment
    )


@carries_out(api.DELETE)
def delete(asked: Asked, wanted: api.DeleteTarget) -> Saved:
    """Remove one."""
    change = edits.without("targets", wanted.name)
    return edits.apply(
        asked.session, "targets.delete", wanted.name, change, edited_from=wanted.edited_from, comment=wanted.comment
    )
