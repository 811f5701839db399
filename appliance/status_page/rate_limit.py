"""How often one address may search: nobody can try accession numbers one after the other."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network
from typing import Final

from appliance.status_page.guard import Address
from mercure.clock import Clock

KNOWN_ADDRESSES: Final = 4096
"""Addresses that are remembered; who was forgotten for others begins anew."""

ALL_TOGETHER: Final = 10
"""All addresses together may search so many times as often as one."""

_MINUTE: Final = 60.0


@dataclass
class _Bucket:
    """What is left of an allowance, and when that was so."""

    left: float
    since: float


class Limiter:
    """An allowance for each address that fills up again with time (a token bucket); one more for all together.

    Parameters
    ----------
    clock : Clock
        Where the time comes from.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._all: _Bucket | None = None

    def wait(self, address: Address | None, per_minute: int) -> int:
        """Take one from the allowance of an address.

        Returns
        -------
        int
            0 when there was one, else in how many seconds there is one again; at least 1.
        """
        now = self._clock.monotonic()
        with self._lock:
            mine = self._bucket(_key(address), now, per_minute)
            everybody = self._all = self._all or _Bucket(per_minute * ALL_TOGETHER, now)
            found = ((mine, per_minute), (everybody, per_minute * ALL_TOGETHER))
            waits = [_missing(bucket, now, allowed) for bucket, allowed in found]
            if max(waits) > 0:
                return int(max(waits)) + 1
            for bucket, _ in found:
                bucket.left -= 1
            return 0

    def _bucket(self, key: str, now: float, per_minute: int) -> _Bucket:
        bucket = self._buckets.setdefault(key, _Bucket(per_minute, now))
        self._buckets.move_to_end(key)
        if len(self._buckets) > KNOWN_ADDRESSES:
            self._buckets.popitem(last=False)
        return bucket


def _missing(bucket: _Bucket, now: float, per_minute: int) -> float:
    """Fill a bucket up to now, and return in how many seconds it holds one; 0: it does."""
    bucket.left = min(per_minute, bucket.left + (now - bucket.since) * per_minute / _MINUTE)
    bucket.since = now
    return max(0.0, (1 - bucket.left) * _MINUTE / per_minute)


def _key(address: Address | None) -> str:
    """Name whom an address belongs to: with IPv6 a single machine has 2**64 of them."""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address)
