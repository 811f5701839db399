"""Which TCP ports of a guest answer, seen from one of the networks.

    python -m tests.guests.scan SOURCE HOST

Prints a JSON list of the open ports, of all 65535. A port that is dropped in silence costs the time limit, so many are
asked at once.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Final

PORTS: Final = range(1, 65536)
AT_ONCE: Final = 8000
SECONDS: Final = 2.0
"""The answer comes from the same machine; what takes longer does not answer."""


async def is_open(source: str, host: str, port: int, limit: asyncio.Semaphore) -> bool:
    """Tell whether a port takes a connection."""
    async with limit:
        try:
            _, writer = await asyncio.wait_for(
                asyncio.open_connection(host, port, local_addr=(source, 0)), timeout=SECONDS
            )
        except OSError:  # refused, unreachable; and TimeoutError is one
            return False
        writer.close()
        return True


async def scan(source: str, host: str) -> list[int]:
    """Return the open ports, in order."""
    limit = asyncio.Semaphore(AT_ONCE)
    answers = await asyncio.gather(*(is_open(source, host, port, limit) for port in PORTS))
    return [port for port, answer in zip(PORTS, answers, strict=True) if answer]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(scan(*sys.argv[1:]))))
