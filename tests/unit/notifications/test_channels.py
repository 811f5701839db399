"""The channels, against a real mail server and a web server: taken, refused, hanging, hostile."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mercure.config.notifications import EMail, Webhook
from mercure.notifications.channels import ChannelError, SendResult, send
from mercure.notifications.channels.email import written
from mercure.notifications.channels.webhook import MAX_BODY, SIGNATURE
from mercure.notifications.message import Message
from tests.support.certificates import Certificate, make_certificate
from tests.support.mail_server import PASSWORD, mail_server, silent_server
from tests.support.ports import free_port
from tests.support.web_hook import web_hook

MESSAGE = Message(
    id="20260102T030405000000-0a1b2c3d",
    channel="mail",
    occasion="error",
    created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    subject="[box] Größe",
    text="Zeile eins\n.\nZeile drei",
    values={"rule": "mr"},
)


def mail(port: int, **more: Any) -> EMail:
    settings = {
        "kind": "email",
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "router@box.example",
        "recipients": ["one@hospital.example", "two@hospital.example"],
        "timeout_seconds": 5,
        **more,
    }
    return EMail.model_validate(settings)


def hook(url: str, **more: Any) -> Webhook:
    return Webhook.model_validate({"kind": "webhook", "url": url, "timeout_seconds": 5, **more})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def password(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    return {"file": str(tmp_path / "password")}


def test_a_mail_is_taken_as_it_was_written() -> None:
    with mail_server() as box:
        assert send(mail(box.port), MESSAGE) == SendResult()
    [got] = box.mails
    assert got["Subject"] == "[box] Größe"
    assert (got["From"], got["To"]) == ("router@box.example", "one@hospital.example, two@hospital.example")
    assert got["Message-ID"] == "<20260102T030405000000-0a1b2c3d.mail@box.example>"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got.get_content().splitlines() == ["Zeile eins", ".", "Zeile drei"]
    assert box.envelopes == [("router@box.example", ["one@hospital.example", "two@hospital.example"])]


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not")  # aiosmtpd does not see TLS that is there from the start
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_tls_and_login(security: str, certificate: Certificate, password: dict[str, str]) -> None:
    known: dict[str, Any] = {
        "ca_file": str(certificate.file),
        "security": security,
        "username": "router",
        "password": password,
    }
    known["timeout_seconds"] = 30  # the server makes who fails wait
    with mail_server(certificate, security=security, login=True) as box:
        assert send(mail(box.port, **known), MESSAGE) == SendResult()
        Path(password["file"]).write_text("wrong")
        with pytest.raises(ChannelError, match="the login of router was refused: 535") as refused:
            send(mail(box.port, **known), MESSAGE)
    assert not refused.value.final, "a password can be put right, and the message is still worth sending"
    assert box.encrypted == [security == "starttls"], "what is encrypted from the start the server does not see"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_is_not_believed(security: str, certificate: Certificate) -> None:
    with mail_server(certificate, security=security) as box:
        with pytest.raises(ChannelError, match=r"its certificate is not believed: self.signed"):
            send(mail(box.port, security=security), MESSAGE)
        assert box.mails == []


def test_a_server_without_starttls_is_not_told_anything() -> None:
    with mail_server() as box:
        with pytest.raises(ChannelError, match="STARTTLS"):
            send(mail(box.port, security="starttls"), MESSAGE)
        assert box.mails == []


def test_refusals_of_mail() -> None:
    with mail_server() as box:
        box.refuse = {"two@hospital.example": "550 no such user"}
        assert "two@hospital.example: 550 no such user" in send(mail(box.port), MESSAGE).problem
        box.refuse = dict.fromkeys(("one@hospital.example", "two@hospital.example"), "550 no such user")
        with pytest.raises(ChannelError, match=r"refused for every recipient.*550 no such user") as refused:
            send(mail(box.port), MESSAGE)
        assert refused.value.final
        box.refuse = dict.fromkeys(box.refuse, "451 try later")
        with pytest.raises(ChannelError) as later:
            send(mail(box.port), MESSAGE)
        assert not later.value.final
        box.refuse, box.refuse_data = {}, "552 too large"
        with pytest.raises(ChannelError, match="552 too large") as large:
            send(mail(box.port), MESSAGE)
        assert large.value.final


@pytest.mark.parametrize(
    ("greeting", "drip"),
    [(b"", b""), (b"220-", b"x"), (b"220 hello\r\n", b"250-more\r\n")],
    ids=["mute", "drip", "lines"],
)
def test_a_mail_server_that_hangs_takes_no_longer_than_allowed(greeting: bytes, drip: bytes) -> None:
    with silent_server(greeting, drip) as port:
        began = time.monotonic()
        with pytest.raises(ChannelError, match="took too long"):
            send(mail(port, timeout_seconds=1), MESSAGE)
        assert time.monotonic() - began < 20


@pytest.mark.parametrize("channel", ["mail", "hook"])
def test_nobody_there(channel: str) -> None:
    port = free_port()
    settings = mail(port) if channel == "mail" else hook(f"http://127.0.0.1:{port}/")
    with pytest.raises(ChannelError, match=f"127.0.0.1:{port}: Connection refused") as refused:
        send(settings, MESSAGE)
    assert not refused.value.final


def test_a_secret_that_is_missing_is_named(tmp_path: Path) -> None:
    secret = {"file": str(tmp_path / "nowhere")}
    for settings in (
        mail(1, security="starttls", username="u", password=secret),
        hook("https://127.0.0.1:1/", secret=secret),
    ):
        with pytest.raises(ChannelError, match=r"was not asked: a secret cannot be read.*nowhere"):
            send(settings, MESSAGE)


def test_no_header_comes_from_outside() -> None:
    hostile = MESSAGE.model_copy(update={"subject": "x\r\nBcc: all@example.org\r\n\r\nbody", "text": "t"})
    got = written(mail(25), hostile)
    assert got["Bcc"] is None
    assert sorted(got.keys()) == sorted(written(mail(25), MESSAGE).keys())
    assert bytes(got).split(b"\r\n\r\n", 1)[0].count(b"Bcc:") == 1, "as a part of the subject's line"
    assert b"\r\nBcc" not in bytes(got)


def test_a_webhook_is_posted_and_its_signature_holds(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret")
    with web_hook() as web:
        assert send(hook(web.url, secret={"file": str(tmp_path / "key")}), MESSAGE) == SendResult()
    [(path, headers, body)] = web.requests
    assert path == "/hook?x=1"
    content = json.loads(body)
    assert (content["id"], content["occasion"], content["values"]) == (MESSAGE.id, "error", {"rule": "mr"})
    assert (headers["Content-Type"], headers["Mercure-Message"]) == ("application/json", MESSAGE.id)
    assert is_ours(b"s3cret", headers[SIGNATURE], body)
    assert not is_ours(b"another", headers[SIGNATURE], body)
    assert not is_ours(b"s3cret", headers[SIGNATURE], body + b" ")
    long_ago = str(int(time.time()) - 600)
    replayed = hmac.new(b"s3cret", long_ago.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert not is_ours(b"s3cret", f"t={long_ago},v1={replayed}", body)


def is_ours(secret: bytes, header: str, body: bytes) -> bool:
    """Verify a signature by the code that the reference tells people to use."""
    page = (Path(__file__).parents[3] / "docs" / "reference" / "notifications.md").read_text("utf-8")
    example = page.partition("```python\n")[2].partition("```")[0]
    known: dict[str, Any] = {}
    exec(example, known)  # noqa: S102 - of our own manual
    return bool(known["is_ours"](secret, header, body))


def test_a_webhook_over_tls_with_a_token(tmp_path: Path, certificate: Certificate) -> None:
    (tmp_path / "token").write_text("abc.def")
    token = {"file": str(tmp_path / "token")}
    with web_hook(certificate) as web:
        send(hook(web.url, token=token, ca_file=str(certificate.file)), MESSAGE)
        with pytest.raises(ChannelError, match="certificate is not believed"):
            send(hook(web.url, token=token), MESSAGE)
        (tmp_path / "token").write_text("abc\r\nX-Other: 1")
        with pytest.raises(ChannelError, match="the token is not one word"):
            send(hook(web.url, token=token, ca_file=str(certificate.file)), MESSAGE)
    [(_, headers, _)] = web.requests
    assert headers["Authorization"] == "Bearer abc.def"


@pytest.mark.parametrize(
    ("status", "final"),
    [(500, False), (503, False), (404, False), (401, False), (429, False), (400, True), (410, True)],
)
def test_refusals_of_a_webhook(status: int, final: bool) -> None:
    with web_hook() as web:
        web.status, web.headers, web.body = status, {"Retry-After": "70"}, b"no\r\n\x1b[31mway"
        with pytest.raises(ChannelError, match=rf"{status} no \[31mway") as refused:
            send(hook(web.url), MESSAGE)
    assert (refused.value.final, refused.value.wait) == (final, 70.0)


def test_a_redirect_is_not_followed() -> None:
    with web_hook() as web, web_hook() as elsewhere:
        web.status, web.headers = 307, {"Location": elsewhere.url}
        with pytest.raises(ChannelError, match=r"307, a redirect to .*, which is not followed"):
            send(hook(web.url), MESSAGE)
        assert (len(web.requests), elsewhere.requests) == (1, [])


def test_an_answer_without_end_is_not_read() -> None:
    with web_hook() as web:
        web.status, web.endless = 500, True
        with pytest.raises(ChannelError, match="500 xxx") as refused:
            send(hook(web.url), MESSAGE)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("greeting", "drip"), [(b"", b""), (b"HTTP/1.1 2", b"0"), (b"HTTP/1.1 500 X\r\n", b"X: y\r\n")]
)
def test_a_webhook_that_hangs_takes_no_longer_than_allowed(greeting: bytes, drip: bytes) -> None:
    with silent_server(greeting, drip, every=0.2) as port:
        began = time.monotonic()
        with pytest.raises(ChannelError):
            send(hook(f"http://127.0.0.1:{port}/", timeout_seconds=1), MESSAGE)
        assert time.monotonic() - began < 20


def test_a_body_is_bounded() -> None:
    large = MESSAGE.model_copy(update={"values": {"text": "x" * 2 * MAX_BODY}})
    with web_hook() as web:
        send(hook(web.url), large)
    assert json.loads(web.requests[0][2])["values"] == {}


def test_what_answers_something_else_than_http() -> None:
    with silent_server(b"SSH-2.0-OpenSSH\r\n") as port, pytest.raises(ChannelError, match="no answer of HTTP"):
        send(hook(f"http://127.0.0.1:{port}/"), MESSAGE)
