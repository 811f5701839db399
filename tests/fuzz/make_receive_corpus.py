"""Write the seed corpus of the receive path's fuzzer: what a sender says from its first byte to its last.

python -m tests.fuzz.make_receive_corpus
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.data_sets import ct_image, nested_sequences
from tests.support.dicom_peer import (
    ABORT_BY_USER,
    P_DATA,
    RELEASE,
    STORE_CT,
    Context,
    associate_rq,
    asynchronous_operations,
    echo_command,
    message,
    pdu,
    store_command,
    value,
)
from tests.support.dicom_peer import VERIFICATION as ECHO

if TYPE_CHECKING:
    from collections.abc import Mapping

CORPUS = Path(__file__).parent / "receive"
SOP, SERIES = "1.2.3.4", "1.2.3"
DATA = ct_image(SOP, SERIES, pixels=b"\1\2" * 40)
OTHER = ct_image(SOP, SERIES, pixels=b"\3\4" * 40)
COMMAND = store_command(SOP)
ECHO_CONTEXT = Context(3, ECHO)


def sessions() -> Mapping[str, bytes]:
    """Return what is said, by the name of its file."""
    opened = associate_rq()
    return {
        "store": opened + message(1, COMMAND, DATA) + RELEASE,
        "store-in-fragments": opened + message(1, COMMAND, DATA, fragment=40) + RELEASE,
        "store-in-one-pdu": opened
        + pdu(P_DATA, value(1, COMMAND, command=True, last=True) + value(1, DATA, command=False, last=True))
        + RELEASE,
        "repetition-and-other": opened + message(1, COMMAND, DATA) * 2 + message(1, COMMAND, OTHER) + RELEASE,
        "unreadable": opened + message(1, COMMAND, nested_sequences(1100)) + RELEASE,
        "no-data-set": opened + message(1, store_command(SOP, data_set=0x0101)) + RELEASE,
        "empty-data-set": opened + message(1, COMMAND, b"") + RELEASE,
        "other-uid": opened + message(1, store_command("1.2.9"), DATA) + RELEASE,
        "echo": associate_rq((STORE_CT, ECHO_CONTEXT)) + message(3, echo_command()) + RELEASE,
        "find": opened + message(1, echo_command(field_value=0x0020)) + RELEASE,
        "cancel": opened + message(1, echo_command(field_value=0x0FFF)) + RELEASE,
        "asynchronous": associate_rq(user_items=asynchronous_operations(0, 0)) + message(1, COMMAND, DATA),
        "wrong-context": opened + message(5, COMMAND, DATA),
        "cut-off": (opened + message(1, COMMAND, DATA))[:-60],
        "abort": opened + message(1, COMMAND, DATA) + ABORT_BY_USER,
        "no-dicom": b"GET / HTTP/1.1\r\n\r\n",
        "wrong-application": associate_rq(application="1.2.3"),
    }


def main() -> None:
    """Write the files."""
    CORPUS.mkdir(exist_ok=True)
    for name, said in sessions().items():
        (CORPUS / name).write_bytes(said)


if __name__ == "__main__":
    main()
