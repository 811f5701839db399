"""The status page, as a browser in the hospital reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.guests.waiting import wait_until

if TYPE_CHECKING:
    from tests.guests.guest import Guest
    from tests.guests.station import Station


def test_it_answers_over_https_and_names_the_archive(administration: Station, guest: Guest) -> None:
    def is_shown() -> bool:
        done = administration.run("curl", "--silent", "--insecure", "--fail", f"https://{guest.spec.address}/")
        return done.returncode == 0 and "archive" in done.stdout

    wait_until(is_shown, seconds=30, what="the status page to name the archive")


@pytest.mark.parametrize(("version", "is_spoken"), [("tls1", False), ("tls1_1", False), ("tls1_2", True)])
def test_it_speaks_no_old_protocol(administration: Station, guest: Guest, version: str, is_spoken: bool) -> None:
    # At security level 0, or our own side would refuse to ask.
    done = administration.run(
        "openssl", "s_client", "-connect", f"{guest.spec.address}:443", f"-{version}", "-cipher", "ALL:@SECLEVEL=0"
    )
    assert ("Cipher is (NONE)" not in done.stdout) == is_spoken, done.stdout
