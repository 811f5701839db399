"""What is collected of senders has bounds: a caller who invents AE titles fills no history, and drives nobody out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mercure.history.database import transaction
from mercure.history.rows import MOST_TRAITS, MOST_TRAITS_OF_ADDRESS, TRAITS_NOT_KEPT, Rows
from mercure.history.traffic import Traffic
from mercure.history.trait_bounds import TraitBounds, keep_within_bounds
from mercure.history.writer import write_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peewee import Database

NODE, MINUTE = "node-a", 60_000_000
FEW = TraitBounds(all=6, of_address=3)


@pytest.fixture
def traffic(database: Database, history_url: str) -> Iterator[Traffic]:
    with Traffic(history_url) as opened:
        yield opened


def came(database: Database, *senders: str, minute: int = MINUTE, node: str = NODE) -> None:
    """Record one batch in which each of these senders called by the same name."""
    rows = Rows(node=node)
    for number, sender in enumerate(senders):
        rows.learn(minute + number * MINUTE, sender, "called", "MERCURE")
    with transaction(database):
        keep_within_bounds(database, rows, FEW)
        write_rows(database, rows, minute)


def kept(traffic: Traffic, node: str = NODE) -> dict[str, int]:
    return {f"{trait.calling_aet}@{trait.address}": trait.times for trait in traffic.traits(node, 100)}


def test_an_address_has_its_bound_whatever_titles_it_invents(database: Database, traffic: Traffic) -> None:
    came(database, *(f"EVIL{number}@10.0.0.9" for number in range(5)), "CT1@10.0.0.7")
    came(database, "EVIL9@10.0.0.9", "EVIL9@10.0.0.9", "MR1@10.0.0.8")
    assert set(kept(traffic)) == {"EVIL0@10.0.0.9", "EVIL1@10.0.0.9", "EVIL2@10.0.0.9", "CT1@10.0.0.7", "MR1@10.0.0.8"}
    assert traffic.traits_not_kept(NODE) == 4


def test_what_is_known_goes_on_being_counted_at_the_bound(database: Database, traffic: Traffic) -> None:
    came(database, *(f"CT@10.0.0.{number}" for number in range(8)))
    assert len(kept(traffic)) == 6
    assert traffic.traits_not_kept(NODE) == 2
    came(database, "CT@10.0.0.0", "CT@10.0.0.7")
    assert kept(traffic)["CT@10.0.0.0"] == 2
    assert "CT@10.0.0.7" not in kept(traffic)
    assert traffic.traits_not_kept(NODE) == 3


def test_each_router_has_its_own_room(database: Database, traffic: Traffic) -> None:
    came(database, *(f"CT@10.0.0.{number}" for number in range(8)))
    came(database, "CT@10.0.0.1", node="node-b")
    assert set(kept(traffic, "node-b")) == {"CT@10.0.0.1"}
    assert traffic.traits_not_kept("node-b") == 0


def test_the_counter_is_told_among_the_others(database: Database, traffic: Traffic) -> None:
    came(database, *(f"EVIL{number}@10.0.0.9" for number in range(4)))
    assert {total.name: total.value for total in traffic.totals(NODE, 10)} == {TRAITS_NOT_KEPT: 1}


def test_the_bounds_in_force_leave_room_for_a_hospital() -> None:
    bounds = TraitBounds()
    assert (bounds.all, bounds.of_address) == (MOST_TRAITS, MOST_TRAITS_OF_ADDRESS)
    assert MOST_TRAITS >= 10 * MOST_TRAITS_OF_ADDRESS
