"""Signatures: one canonical form, the key of the box, and every way to break a signed document."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance import signatures
from appliance.signatures import PublicKey, SignatureError, SigningKey, canonical, verify

KIND = "mercure-test/1"
STATEMENT = {"b": [1, None, True, "Müller"], "a": {"y": "", "x": "\n\u2028"}}


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    found, new = SigningKey.ensure(tmp_path / "keys")
    assert new
    return found


class TestCanonicalForm:
    def test_is_that_of_the_standard(self) -> None:
        text = '{"a":{"x":"\\n\u2028","y":""},"b":[1,null,true,"Müller"]}'
        assert canonical(STATEMENT) == text.encode()

    def test_does_not_depend_on_the_order_of_names(self) -> None:
        assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})

    @pytest.mark.parametrize("value", [1.5, float("nan"), 2**53, {"ü": 1}, {1: 2}, "\ud800", b"x", {1, 2}], ids=repr)
    def test_what_could_be_written_in_two_ways_has_none(self, value: object) -> None:
        with pytest.raises(ValueError, match=r"."):
            canonical({"value": [value]})


class TestKey:
    def test_is_made_once_and_for_nobody_else(self, key: SigningKey, tmp_path: Path) -> None:
        folder = tmp_path / "keys"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert [path.name for path in folder.iterdir()] == ["box.pem"]
        assert (folder / "box.pem").stat().st_mode & 0o777 == 0o600
        again, new = SigningKey.ensure(folder)
        assert (again.public, new) == (key.public, False)

    def test_there_is_none_at_first(self, tmp_path: Path) -> None:
        assert SigningKey.load(tmp_path) is None

    def test_one_that_others_may_read_is_not_used(self, key: SigningKey, tmp_path: Path) -> None:
        (tmp_path / "keys" / "box.pem").chmod(0o640)
        with pytest.raises(SignatureError, match="mode 0640"):
            SigningKey.load(tmp_path / "keys")

    @pytest.mark.parametrize("content", [b"", b"rubbish", b"-----BEGIN PRIVATE KEY-----\nMC4C\n"])
    def test_one_that_is_damaged_is_told_and_not_replaced(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "box.pem"
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(SignatureError, match="backup"):
            SigningKey.ensure(tmp_path)
        assert path.read_bytes() == content

    def test_two_that_make_it_at_once_get_the_same(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        other, _ = SigningKey.ensure(tmp_path / "keys")
        load, asked = SigningKey.load, []

        def late(folder: Path) -> SigningKey | None:
            asked.append(folder)
            return None if len(asked) == 1 else load(folder)

        monkeypatch.setattr(signatures.SigningKey, "load", late)
        assert SigningKey.ensure(tmp_path / "keys")[0].public == other.public

    def test_public_key_and_fingerprint_say_the_same(self, key: SigningKey) -> None:
        assert PublicKey.from_pem(key.public.pem.encode()) == key.public
        spaced = " ".join(key.public.fingerprint.upper()[at : at + 4] for at in range(0, 64, 4))
        assert PublicKey.from_fingerprint(spaced) == key.public

    @pytest.mark.parametrize("text", ["", "12", "z" * 64, "0" * 65])
    def test_what_is_no_fingerprint(self, text: str) -> None:
        with pytest.raises(SignatureError, match="64 hexadecimal"):
            PublicKey.from_fingerprint(text)

    def test_a_private_key_is_not_taken_for_a_public_one(self, key: SigningKey, tmp_path: Path) -> None:
        with pytest.raises(SignatureError, match="private key"):
            PublicKey.from_pem((tmp_path / "keys" / "box.pem").read_bytes())
        with pytest.raises(SignatureError, match="no public key"):
            PublicKey.from_pem(b"hello")


class TestDocument:
    def test_says_what_was_signed(self, key: SigningKey) -> None:
        assert verify(key.sign(KIND, STATEMENT), KIND, key.public) == STATEMENT

    def test_every_changed_byte_is_found(self, key: SigningKey) -> None:
        data = key.sign(KIND, STATEMENT)
        for at in range(len(data)):
            for bit in (0x01, 0x20):
                changed = bytearray(data)
                changed[at] ^= bit
                with pytest.raises(SignatureError):
                    verify(bytes(changed), KIND, key.public)

    def test_each_byte_too_few_or_too_many_is_found(self, key: SigningKey) -> None:
        data = key.sign(KIND, STATEMENT)
        for changed in (
            data[:-1],
            data + b"\n",
            b" " + data,
            data.replace(b"\n", b"\r\n"),
            b"",
            b"\xff",
            b"[" * 100_000,
        ):
            with pytest.raises(SignatureError):
                verify(changed, KIND, key.public)

    def test_of_another_box(self, key: SigningKey, tmp_path: Path) -> None:
        other, _ = SigningKey.ensure(tmp_path / "other")
        with pytest.raises(SignatureError, match="another key than yours"):
            verify(other.sign(KIND, STATEMENT), KIND, key.public)

    def test_the_key_in_the_file_counts_for_nothing(self, key: SigningKey, tmp_path: Path) -> None:
        other, _ = SigningKey.ensure(tmp_path / "other")
        forged = other.sign(KIND, STATEMENT).replace(other.public.fingerprint.encode(), key.public.fingerprint.encode())
        with pytest.raises(SignatureError, match="was changed"):
            verify(forged, KIND, key.public)

    def test_of_another_kind(self, key: SigningKey) -> None:
        data = key.sign("mercure-release/1", STATEMENT)
        with pytest.raises(SignatureError, match="no mercure-test/1"):
            verify(data, KIND, key.public)
        with pytest.raises(SignatureError, match="was changed"):
            verify(data.replace(b"mercure-release/1", KIND.encode()), KIND, key.public)

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ('"a": {', '"a": 1,\n  "a": {', "twice"),
            ("1,\n   null", "1.0,\n   null", "no number"),
            ("1,\n   null", "NaN,\n   null", "no number"),
            ("1,\n   null", "2,\n   null", "was changed"),
            ('"signature"', '"more": 1,\n "signature"', "members"),
            ("u00fc", "u00FC", "written anew"),
        ],
    )
    def test_words_for_what_was_changed(self, key: SigningKey, old: str, new: str, words: str) -> None:
        text = key.sign(KIND, STATEMENT).decode()
        assert old in text
        with pytest.raises(SignatureError, match=words):
            verify(text.replace(old, new).encode(), KIND, key.public)

    def test_anybody_can_check_it_without_our_program(self, key: SigningKey, tmp_path: Path) -> None:
        document = json.loads(key.sign(KIND, STATEMENT))
        (tmp_path / "signature").write_bytes(bytes.fromhex(document.pop("signature")))
        (tmp_path / "signed").write_text(
            json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False), encoding="utf-8"
        )
        (tmp_path / "key.pem").write_text(f"fingerprint {key.public.fingerprint}\n{key.public.pem}")
        command = "pkeyutl -verify -pubin -inkey key.pem -rawin -in signed -sigfile signature"
        done = subprocess.run(
            ["openssl", *command.split()], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key  # noqa: PLC0415

    other = generate_private_key(SECP256R1())
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "box.pem").write_bytes(other.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    (tmp_path / "box.pem").chmod(0o600)
    with pytest.raises(SignatureError, match="no Ed25519 key"):
        SigningKey.load(tmp_path)
    public = other.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(SignatureError, match="no Ed25519 key"):
        PublicKey.from_pem(public)


def test_a_key_with_a_password_is_refused(tmp_path: Path) -> None:
    data = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    (tmp_path / "box.pem").write_bytes(data)
    (tmp_path / "box.pem").chmod(0o600)
    with pytest.raises(SignatureError, match="no private key that can be read"):
        SigningKey.load(tmp_path)
