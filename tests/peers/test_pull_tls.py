"""Find and pull from Orthanc with TLS both ways: each side shows a certificate, and believes the hospital's authority only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.errors import ConfigurationError
from tasks.pacs.association import echo
from tasks.pacs.settings import PacsSettings, TlsSettings
from tests.peers import archives
from tests.peers.archives import PLAIN, RECEIVER, load, pulled, study_set, unequal
from tests.peers.orthanc import serving, settings
from tests.peers.test_receiving_dcmtk import make_certificates

pytestmark = pytest.mark.peer("Orthanc", "storescu", "openssl")


def tls(folder: Path, name: str) -> TlsSettings:
    """One side's settings."""
    return TlsSettings(certificate=folder / f"{name}.pem", key=folder / f"{name}.key", authority=folder / "authority.pem")


def secured(folder: Path, **changes: Any) -> dict[str, Any]:
    """What is entered in Orthanc."""
    return {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(folder / "pacs.pem"),
        "DicomTlsPrivateKey": str(folder / "pacs.key"),
        "DicomTlsTrustedCertificates": str(folder / "authority.pem"),
        "DicomTlsRemoteCertificateRequired": True,
        "DicomModalities": {
            "safelight": {"AET": RECEIVER.ae_title, "Host": "127.0.0.1", "Port": RECEIVER.port, "UseDicomTls": True, **changes}
        },
    }


def test_everything_goes_over_tls_and_whoever_has_no_certificate_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = make_certificates(tmp_path / "certificates")
    files = study_set(tmp_path / "files", *PLAIN)
    pacs = settings(tls=tls(certificates, "safelight"))
    monkeypatch.setattr(archives, "RECEIVER", RECEIVER.model_copy(update={"tls": tls(certificates, "safelight")}))
    with serving(tmp_path, pacs, **secured(certificates)):
        options = (
            "+tls",
            str(certificates / "safelight.key"),
            str(certificates / "safelight.pem"),
            "+cf",
            str(certificates / "authority.pem"),
        )
        load(files, pacs, *options)
        strangers = make_certificates(tmp_path / "elsewhere")
        for refused in (None, tls(strangers, "safelight")):
            with pytest.raises(ConfigurationError, match="E-PULL-UNREACHABLE"):
                echo(PacsSettings(**{**dict(pacs), "tls": refused, "acse_timeout_s": 3}))
        _, summary, arrived = pulled(tmp_path, pacs)
    assert {(count.outcome, count.n) for count in summary.counts()} == {("pulled", len(files))}
    assert unequal(files, arrived) == []


def test_a_pacs_that_sends_without_tls_to_a_receiver_with_it_is_told_as_a_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = make_certificates(tmp_path / "certificates")
    files = study_set(tmp_path / "files")
    pacs = settings(manners={"associations": 1, "retries": 0, "backoff_s": 0.1, "breaker_s": 0.1, "give_up_s": 1})
    monkeypatch.setattr(archives, "RECEIVER", RECEIVER.model_copy(update={"tls": tls(certificates, "safelight")}))
    with serving(tmp_path, pacs):
        load(files, pacs)
        _, summary, arrived = pulled(tmp_path, pacs)
    assert arrived == []
    assert ("refused", "E-PULL-STRANGER") in {(count.outcome, count.reason_code) for count in summary.counts()}
