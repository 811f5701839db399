"""Any request: every answer is one of ours, whole, without a trace of the inside, and the server goes on."""

from __future__ import annotations

import socket
from html.parser import HTMLParser

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.status_page.guard import HEADERS
from tests.support.site import Page, served

ROUTES = ("/", "/wall", "/arrivals", "/targets", "/exam", "/healthz", "/metrics", "/style.css", "/icon.svg")
STATUSES = {200, 304, 400, 403, 404, 405, 429, 503}
PATHS = st.one_of(
    st.sampled_from(ROUTES),
    st.builds(lambda route, more: route + more, st.sampled_from(ROUTES), st.text(max_size=30)),
    st.text(max_size=60).map(lambda text: "/" + text),
)
QUERIES = st.one_of(
    st.text(max_size=200),
    st.builds(lambda text: f"accession={text}", st.text(max_size=120)),
    st.builds(lambda text: f"lang={text}", st.one_of(st.sampled_from(["de", "en"]), st.text(max_size=20))),
    st.binary(max_size=100).map(lambda data: "accession=" + "".join(f"%{byte:02x}" for byte in data)),
)
HEADER_NAMES = st.sampled_from(
    ["HTTP_X_FORWARDED_FOR", "HTTP_COOKIE", "HTTP_ACCEPT", "HTTP_IF_NONE_MATCH", "HTTP_RANGE", "HTTP_HOST",
     "HTTP_REFERER", "HTTP_USER_AGENT", "HTTP_ACCEPT_LANGUAGE", "CONTENT_LENGTH", "CONTENT_TYPE", "REMOTE_ADDR"]
)  # fmt: skip


PAGE = Page()
"""One for all: no request may harm those after it."""


def latin(text: str) -> str:
    """Give a text as WSGI does: bytes, each a character."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(
    path=PATHS,
    query=QUERIES,
    method=st.sampled_from(["GET", "HEAD", "GET", "POST", "TRACE"]),
    headers=st.dictionaries(HEADER_NAMES, st.text(max_size=60).map(latin), max_size=4),
)
def test_every_answer_is_one_of_ours(path: str, query: str, method: str, headers: dict[str, str]) -> None:
    answer = PAGE.get(latin(path), latin(query), method=method, **headers)
    assert answer.status in STATUSES
    for name, value in HEADERS:
        assert answer.headers[name] == value
    assert b"Traceback" not in answer.body
    if answer.headers.get("Content-Type", "").startswith("text/html") and answer.body:
        HTMLParser().feed(answer.text)
        assert "<script" not in answer.text


RAW = (
    b"",
    b"\x00" * 4096,
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    b"GET http://elsewhere/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: " + b"1," * 5000 + b"\r\n\r\n",
    b"GET /%00%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"POST /exam HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde",
    b"GET / HTTP/9.9\r\n\r\n",
)


def test_bytes_that_are_no_request_do_not_end_the_server() -> None:
    page = Page()
    with served(page) as address:
        port = int(address.rpartition(":")[2])
        for data in RAW:
            answer = exchange(port, data)
            head = answer.partition(b"\r\n\r\n")[0]
            assert b"Traceback" not in answer
            assert b"Set-Cookie: a=b" not in head
            assert b"\r\nServer:" not in head
        assert exchange(port, b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 200 OK")


def exchange(port: int, data: bytes) -> bytes:
    """Send bytes, say that it is all, and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        parts = []
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                parts.append(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough
        return b"".join(parts)
