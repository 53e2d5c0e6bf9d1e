"""The certificate that every night puts into the lake beside the validation report."""

from __future__ import annotations

from tasks.deid.certificate.facts import Certificate, collect
from tasks.deid.certificate.page import render
from tasks.deid.stage import DeidentifyStage
from tasks.errors import ConfigurationError
from tasks.lake import Lake, Manifest
from tasks.ledger import Ledger
from tasks.stage import digest
from tasks.vault import Vault

STAGE, _KEY = "certificate", "release"
#: Raised by hand whenever the same facts give another page than before.
REVISION = 1


def publish(vault: Vault, lake: Lake, ledger: Ledger, stage: DeidentifyStage) -> Manifest | None:
    """Publish the certificate into the lake as `reports/certificate.html` and `.json`.

    Returns:
        what was published, or None where nothing is de-identified, or where the page that lies there says just this.
    """
    try:
        made = collect(vault, lake, ledger, stage)
    except ConfigurationError as error:
        if error.code != "E-CERTIFICATE-NOTHING":
            raise
        lake.withdraw(STAGE, _KEY)
        return None
    fingerprint = digest({"facts": made.to_json().decode(), "revision": REVISION})
    earlier = lake.manifest(STAGE, _KEY)
    if earlier is not None and earlier.fingerprint == fingerprint and lake.intact(earlier):
        return None
    with lake.publication(STAGE, _KEY, fingerprint) as publication:
        for name, content in documents(made).items():
            publication.write(f"reports/{name}", content)
        return publication.commit(passed=1)


def documents(made: Certificate) -> dict[str, bytes]:
    """The page and its facts, by file name."""
    return {"certificate.html": render(made), "certificate.json": made.to_json()}
