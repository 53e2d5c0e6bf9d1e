"""Certificates for tests, by trustme: an authority, and files of what it signs."""

from __future__ import annotations

from pathlib import Path

import trustme

from tasks.pacs.settings import TlsSettings


class Authority:
    """An authority of its own, whose certificates lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._authority = trustme.CA()
        self.file = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self.file))

    def issue(self, *hosts: str, common_name: str | None = None) -> TlsSettings:
        """A certificate for these hosts, or for none but with a common name."""
        made = self._authority.issue_cert(*hosts, common_name=common_name)
        name = (hosts[0] if hosts else str(common_name)).replace("*", "any")
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        made.private_key_pem.write_to_path(str(key))
        return TlsSettings(certificate=certificate, key=key, authority=self.file)
