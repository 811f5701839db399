"""Write the seed corpus of the fuzzer of proxy headers.

python -m tests.fuzz.make_proxy_header_corpus
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.dicom_peer import associate_rq
from tests.support.proxy_header import LOCAL, PROXY, TCP4, UNIX, UNSPECIFIED, addition, header, proxied

if TYPE_CHECKING:
    from collections.abc import Mapping

CORPUS = Path(__file__).parent / "proxy_header"


def headers() -> Mapping[str, bytes]:
    """Return what a proxy says, by the name of its file."""
    return {
        "ipv4": proxied("192.0.2.9"),
        "ipv6": proxied("2001:db8::7"),
        "ipv4-mapped": proxied("::ffff:192.0.2.9"),
        "additions": proxied("192.0.2.9", addition(0x03, b"\0\0\0\0") + addition(0x04, b"\0" * 20)),
        "with-request": proxied("192.0.2.9") + associate_rq(),
        "local": header(LOCAL, UNSPECIFIED),
        "unix": header(PROXY, UNIX, b"/run/a".ljust(108, b"\0") * 2),
        "unspecified": header(PROXY, UNSPECIFIED),
        "too-short": header(PROXY, TCP4, b"\x0a\0\0\1"),
        "torn": proxied("192.0.2.9")[:20],
        "version-1": b"PROXY TCP4 192.0.2.9 10.0.0.1 50000 11112\r\n",
        "no-header": associate_rq(),
    }


def main() -> None:
    """Write the files."""
    CORPUS.mkdir(exist_ok=True)
    for name, said in headers().items():
        (CORPUS / name).write_bytes(said)


if __name__ == "__main__":
    main()
