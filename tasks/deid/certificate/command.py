"""The command `safelight certificate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tasks.console import DONE, INCOMPLETE, one_sentence, say
from tasks.deid.certificate.facts import Certificate, collect
from tasks.deid.certificate.page import number
from tasks.deid.certificate.publishing import documents
from tasks.deid.stage import DeidentifyStage
from tasks.errors import ConfigurationError
from tasks.guard import ErrorLog, boundary, seal
from tasks.lake import Lake
from tasks.ledger import Ledger
from tasks.vault import Vault


def certificate(
    out: Annotated[Path, typer.Option(help="Folder for certificate.html and certificate.json.", show_default=False)],
    lake: Annotated[
        str | None, typer.Option(help="The de-identified zone: a folder or an s3:// URL.", show_default=False)
    ] = None,
    vault: Annotated[Path | None, typer.Option(help="The identified zone: a private folder.", show_default=False)] = None,
    profile: Annotated[str, typer.Option(help="With --lake and --vault: the profile that was applied.")] = "safe_harbor",
    config: Annotated[
        Path | None, typer.Option(help="Instead of --lake and --vault: the site's configuration.", show_default=False)
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Read every published file again and compare its SHA-256.")] = False,
) -> None:
    """Write the one-page certificate of what is in the lake, for the privacy officer.

    Exit code 1: the books do not agree; the page says so in red.

    Example: `safelight certificate --lake lake --vault vault --out certificate`
    """
    with one_sentence():
        stage, ledger = _opened(config, lake, vault, profile)
        errors = ErrorLog(stage.vault.errors)
        seal(errors)
        with boundary("certificate", errors):
            made = collect(stage.vault, stage.lake, ledger, stage, verify=verify)
            for path in write(made, out):
                say(f"  {path}")
        released, held = (number(made.counts["instances"].get(end, 0)) for end in ("released", "quarantined"))
        say(f"certificate: released {released} instance, quarantined {held} instance; release {made.release[:12]}")
        for finding in made.findings:
            say(f"Does not balance: {finding}")
        raise typer.Exit(INCOMPLETE if made.findings else DONE)


def write(made: Certificate, folder: Path) -> list[Path]:
    """Write `certificate.html` and `certificate.json` into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in documents(made).items():
        (folder / name).write_bytes(content)
        written.append(folder / name)
    return written


def _opened(config: Path | None, lake: str | None, vault: Path | None, profile: str) -> tuple[DeidentifyStage, Ledger]:
    if (config is None) == (lake is None and vault is None) or (lake is None) != (vault is None):
        raise ConfigurationError("E-AUDIT-WHERE")
    if vault is not None:
        opened = Vault.open(vault, create=False)
        return DeidentifyStage(opened, Lake.open(str(lake)), profile), Ledger(opened.ledger_url)
    from tasks.site import open_site

    site = open_site(str(Path(str(config)).absolute()))
    stage = site.stage("deidentify")
    assert isinstance(stage, DeidentifyStage)  # noqa: S101 - that is what the name stands for
    return stage, site.ledger
