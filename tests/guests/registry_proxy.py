"""The only way out of the test network: a proxy to the package registries, and to nothing else.

    registry_proxy.py NETNS ADDRESS PORT CACHE HOST...

It listens inside a network namespace and connects from the machine's own. apt asks it for files (GET), pip for
tunnels (CONNECT), both only to the hosts named, on the two ports of the web. Debian packages never change under one
name, so they are kept in CACHE; indexes are fetched each time.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import select
import shutil
import socket
import socketserver
import sys
import tempfile
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

CLONE_NEWNET: Final = 0x40000000
PORTS: Final = (80, 443)
SECONDS: Final = 60.0
PIECE: Final = 1 << 16
_PASSED_ON: Final = ("Content-Type", "Content-Length", "Last-Modified", "ETag", "Content-Range")


class Proxy(socketserver.ThreadingTCPServer):
    """The server: who may be asked, and where packages are kept."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], cache: Path, hosts: frozenset[str]) -> None:
        self.cache = cache
        self.hosts = hosts
        super().__init__(address, Request)


class Request(BaseHTTPRequestHandler):
    """One connection of apt or pip."""

    server: Proxy
    protocol_version = "HTTP/1.1"
    timeout = SECONDS

    def do_CONNECT(self) -> None:
        """Open a tunnel."""
        host, _, port = self.path.partition(":")
        if not self._is_allowed(host, int(port or 443)):
            return
        with socket.create_connection((host, int(port or 443)), SECONDS) as upstream:
            self.send_response(200)
            self.end_headers()
            _pump(self.connection, upstream)
        self.close_connection = True

    def do_GET(self) -> None:
        """Fetch a file, or give the copy that is kept."""
        url = urlsplit(self.path)
        if not self._is_allowed(url.hostname or "", url.port or 80):
            return
        kept = self.server.cache / f"{hashlib.sha256(self.path.encode()).hexdigest()}.deb"
        if url.path.endswith(".deb"):
            if not kept.exists() and not self._fetch(url, kept):
                return
            self._send_kept(kept)
        else:
            self._fetch(url, None)

    def _is_allowed(self, host: str, port: int) -> bool:
        if host in self.server.hosts and port in PORTS:
            return True
        self.send_error(403, "no registry of this machine")
        self.close_connection = True
        return False

    def _send_kept(self, file: Path) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(file.stat().st_size))
        self.end_headers()
        with file.open("rb") as content:
            shutil.copyfileobj(content, self.wfile, PIECE)

    def _fetch(self, url: SplitResult, keep: Path | None) -> bool:
        """Fetch a file to the client, or into ``keep``; what is not there in full is answered, and not kept."""
        connection = HTTPConnection(url.hostname or "", url.port or 80, timeout=SECONDS)
        asked = {name: value for name, value in self.headers.items() if name in ("If-Modified-Since", "User-Agent")}
        try:
            connection.request("GET", url.path + (f"?{url.query}" if url.query else ""), headers=asked)
            answer = connection.getresponse()
            if keep is not None and answer.status == 200:
                with tempfile.NamedTemporaryFile(dir=keep.parent, delete=False) as part:
                    shutil.copyfileobj(answer, part, PIECE)
                if Path(part.name).stat().st_size == int(answer.headers["Content-Length"]):
                    Path(part.name).rename(keep)
                    return True
                Path(part.name).unlink()
                self.send_error(502, "the registry ended too early")
                return False
            self.send_response(answer.status, answer.reason)
            for name in _PASSED_ON:
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            if "Content-Length" not in answer.headers:
                self.send_header("Connection", "close")
            self.end_headers()
            shutil.copyfileobj(answer, self.wfile, PIECE)
        except (OSError, HTTPException) as error:
            self.close_connection = True
            self.log_error("%s: %s", self.path, error)
        finally:
            connection.close()
        return False


def _pump(one: socket.socket, other: socket.socket) -> None:
    ends = {one: other, other: one}
    while True:
        ready, _, _ = select.select(list(ends), [], [], SECONDS)
        if not ready:
            return
        for end in ready:
            piece = end.recv(PIECE)
            if not piece:
                return
            ends[end].sendall(piece)


def enter(namespace: str) -> None:
    """Move this process into a network namespace; sockets stay where they were made."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(namespace).open("rb") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), namespace)


def main(netns: str, address: str, port: str, cache: str, *hosts: str) -> None:
    """Listen inside, then go back out and serve."""
    Path(cache).mkdir(parents=True, exist_ok=True)
    outside = f"/proc/{os.getpid()}/fd/{os.open('/proc/self/ns/net', os.O_RDONLY)}"
    enter(f"/run/netns/{netns}")
    server = Proxy((address, int(port)), Path(cache), frozenset(hosts))
    enter(outside)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
