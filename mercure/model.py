"""The base of all typed models: what is unknown is refused, what was read does not change."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen model without unknown keys, for everything that this program alone writes and people edit."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Record(BaseModel):
    """A frozen model that passes over unknown keys, for what another version of the router may have written."""

    model_config = ConfigDict(extra="ignore", frozen=True)
