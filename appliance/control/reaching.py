"""What a client needs to reach the control service and to read what it says."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Final

from pydantic_core import from_json

from appliance.control.api.base import ErrorData
from appliance.control.errors import KIND_OF, MEANING, ControlError, Kind
from appliance.control.rpc import jsonrpc

CONNECT_SECONDS: Final = 5.0


class DisconnectedError(Exception):
    """There is no control service, or no more; the text says what was met."""


def connect(run: Path) -> socket.socket:
    """Connect to the control service of a router by its folder ``run/``."""
    try:
        return jsonrpc.connect(run, CONNECT_SECONDS)
    except PermissionError as error:
        advice = "have an administrator add you to the group mercure-viewer"
        raise ControlError(
            "not-allowed", f"you may not open {run / jsonrpc.SOCKET_NAME}", advice, role="viewer"
        ) from error
    except OSError as error:
        raise DisconnectedError(f"no control service answers in {run}: {error.strerror or error}") from error


def object_of(line: bytes) -> dict[str, Any]:
    """Read a line of the service."""
    value = from_json(line)
    if not isinstance(value, dict):
        raise DisconnectedError("the control service answered something else than JSON-RPC")
    return value


def without_id(params: dict[str, Any]) -> dict[str, Any]:
    """Return what a notification tells, without of which request."""
    return {key: value for key, value in params.items() if key != "id"}


def error_of(error: dict[str, Any]) -> ControlError:
    """Turn the error of an answer into an exception."""
    data = ErrorData.model_validate(error.get("data", {"kind": "internal"}))
    return raised(KIND_OF.get(int(error["code"]), "failed"), str(error["message"]), data)


def raised(kind: str, text: str, data: ErrorData) -> ControlError:
    """Make the exception of what an error tells."""
    known: Kind = kind if kind in MEANING else "failed"
    return ControlError(known, text, data.advice, role=data.role, problems=data.problems, difference=data.difference)


def gone(error: Exception) -> DisconnectedError:
    """Say how a connection was lost."""
    if isinstance(error, TimeoutError):
        return DisconnectedError("the control service does not answer")
    return DisconnectedError(f"the connection to the control service is lost: {error}")
