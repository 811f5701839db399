"""TLS under DICOM (PS3.15 annex B; RFC 9325): which certificates are shown, and whom we believe."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from mercure.config.basics import AbsolutePath
from mercure.model import Model


class TargetTls(Model):
    """TLS to a target: TLS 1.3, or TLS 1.2 with forward secrecy."""

    ca: AbsolutePath | None = None
    """A file (PEM) with the certificates of the authorities that may have signed the target's; for ``pin`` with the
    target's own. Without it the authorities that this machine knows count."""
    crl: AbsolutePath | None = None
    """A file (PEM) with the lists of certificates that these authorities have revoked (CRL); absent: none is asked. A
    list that has expired, or is not there, keeps images waiting."""
    certificate: AbsolutePath | None = None
    """A file (PEM) with a certificate of ours and its chain, for a target that wants one."""
    key: AbsolutePath | None = None
    """The file (PEM) with its private key; only the router may be able to read it (mode 0600)."""
    verify: Literal["full", "ca", "pin"] = "full"
    """``full``: signed by an authority in `ca`, for `server_name`. ``ca``: for any name, which is weaker: each
    certificate of that authority will do. ``pin``: the very one in `ca`; it must be pinned anew when it is renewed."""
    server_name: str = ""
    """The name or address that must be in the target's certificate; empty: `host`."""

    @model_validator(mode="after")
    def _files_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("'certificate' and 'key' go together")
        if self.verify == "pin" and self.ca is None:
            raise ValueError("'verify' is pin, so 'ca' must name the file with the target's certificate")
        if self.verify == "pin" and self.crl is not None:
            raise ValueError("'verify' is pin, so there is no authority whose 'crl' could be asked")
        return self
