"""An audit repository: Debian's rsyslog, which takes syslog over TLS, and jing, which knows the form of a message."""

from __future__ import annotations

import contextlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.ports import is_listening
from tests.support.processes import Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.certificates import Authority, Certificate

SCHEMA = Path(__file__).with_name("audit_message.rnc")
LINE = re.compile(r"<85>1 \S+ \S+ mercure \d+ DICOM\+RFC3881 - \ufeff(?P<xml><\?xml .*)")
CONFIGURATION = """
global(
  workDirectory="{folder}" maxMessageSize="64k"
  defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{authority}"
  defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}"
)
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
input(type="imtcp" address="127.0.0.1" port="{port}")
template(name="raw" type="string" string="%rawmsg%\\n")
action(type="omfile" file="{folder}/messages" template="raw")
"""


@dataclass
class Repository:
    """What came to it so far."""

    folder: Path

    @property
    def lines(self) -> list[str]:
        """The messages with their headers, whole ones only."""
        file = self.folder / "messages"
        return file.read_text("utf-8").split("\n")[:-1] if file.exists() else []

    @property
    def messages(self) -> list[str]:
        """The messages; each has the header that it must have."""
        found = [LINE.fullmatch(line) for line in self.lines]
        assert all(found), self.lines
        return [match["xml"] for match in found if match is not None]


@contextlib.contextmanager
def audit_repository(folder: Path, authority: Authority, own: Certificate, port: int) -> Iterator[Repository]:
    """Run a repository on loopback that wants a certificate of the authority; what came before stays."""
    folder.mkdir(exist_ok=True)
    configuration = folder / "rsyslog.conf"
    configuration.write_text(
        CONFIGURATION.format(folder=folder, authority=authority.file, certificate=own.file, key=own.key, port=port)
    )

    def is_ready(_: Running) -> bool:
        return is_listening(port)

    command = ["/usr/sbin/rsyslogd", "-n", "-f", str(configuration), "-i", str(folder / "pid")]
    with running(command, ready=is_ready):
        yield Repository(folder)


def assert_valid(folder: Path, messages: list[str]) -> None:
    """Check messages against the schema."""
    files = [folder / f"message-{number}.xml" for number in range(len(messages))]
    for file, message in zip(files, messages, strict=True):
        file.write_text(message, encoding="utf-8")
    done = subprocess.run(["jing", "-c", str(SCHEMA), *map(str, files)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
