"""The commands `safelight pull` and `safelight pacs serve`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from tasks.console import DONE, console, finish, one_sentence, progress, say
from tasks.errors import ConfigurationError
from tasks.guard import ErrorLog, boundary, seal
from tasks.pacs.asking.find import FoundStudy, find, refused, register
from tasks.pacs.embedded.node import PacsNode
from tasks.site import open_site
from tasks.vault import write_private


def pull(
    config: Annotated[Path, typer.Option("--config", help="The site's configuration file.")],
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Ask the PACS what there is, and stop.")] = False,
) -> None:
    """Find the cohort's studies in the PACS and pull those that are due into the vault.

    Example: safelight pacs serve hospital --aet HOSPITAL --port 11112 --destination SAFELIGHT=127.0.0.1:11113 &
    then: safelight pull --config configs/demo.yaml
    """
    with one_sentence():
        site = open_site(str(config.expanduser().absolute()))
        if not site.settings.pacs:
            raise ConfigurationError("E-CONFIG", "pacs is missing")
        with boundary("plan", site.errors):
            studies = [study for pacs in site.settings.pacs for study in find(pacs, site.settings.cohort)]
        show_plan(studies)
        if plan_only:
            raise typer.Exit(DONE)
        with boundary("pull", site.errors):
            new = register(site.ledger, site.vault, studies)
            say(f"{new} new in the ledger")
            keys = list(site.ledger.studies())
            with site.ledger.run("pull") as run, progress("pull", len(keys)) as advance:
                summary = site.work("pull", run, keys, advance)
        finish(summary, f"safelight status --config {config}, and {site.vault.root}")


def show_plan(studies: list[FoundStudy]) -> None:
    """The plan as a table of counts."""
    wanted = [study for study in studies if not study.reason_code]
    table = Table("studies", "series", "instances", title="found in the PACS")
    series, instances = sum(len(study.series) for study in wanted), sum(study.instances for study in wanted)
    table.add_row(str(len(wanted)), str(series), str(instances))
    console.print(table)
    for code, n in sorted(refused(studies).items()):
        say(f"{n} studies cannot be pulled: {code}")


def serve(
    folder: Annotated[Path, typer.Argument(help="A folder with DICOM files, at any depth.")],
    port: Annotated[int, typer.Option(help="TCP port to listen on.", min=1, max=65535)] = 11112,
    aet: Annotated[str, typer.Option(help="The AE title that it answers to.")] = "HOSPITAL",
    destination: Annotated[list[str] | None, typer.Option(help="Who may be sent to: AETITLE=HOST:PORT. Repeatable.")] = None,
    bind: Annotated[str, typer.Option(help="Address to listen on. Without it, only this machine can connect.")] = "127.0.0.1",
) -> None:
    """Serve a folder of DICOM files as a PACS (C-ECHO, C-FIND, C-MOVE, C-STORE) until interrupted.

    Example: safelight pacs serve hospital --port 11112 --aet HOSPITAL --destination SAFELIGHT=127.0.0.1:11113
    """
    with one_sentence():
        destinations = dict(_destination(text) for text in destination or ())
        if not folder.is_dir():
            raise ConfigurationError("E-PULL-FOLDER", str(folder))
        errors = ErrorLog.default()
        seal(errors)
        node = PacsNode(folder, aet, port, destinations, bind)
        try:
            with node:
                say(f"{aet} on {bind}:{node.port}: {len(node.index.entries)} instances")
                for reason, n in sorted(Counter(reason for _, reason in node.refused).items()):
                    say(f"  not served: {n} files, {reason}")
                if node.refused:
                    say(f"  which ones: {_list(node, errors)}")
                node.serve_forever()
        except OSError:
            raise ConfigurationError("E-PULL-BIND", f"{bind}:{port}") from None
        except KeyboardInterrupt:
            say("stopped")


def _list(node: PacsNode, errors: ErrorLog) -> Path:
    """Names of the files that are not served, in a private file: a hospital's file names may name patients."""
    path = errors.folder / "pacs-not-served.txt"
    lines = (f"{name.relative_to(node.folder)}\t{reason}\n" for name, reason in node.refused)
    write_private(path, "".join(lines).encode("utf-8", "surrogateescape"))
    return path


def _destination(text: str) -> tuple[str, tuple[str, int]]:
    title, _, address = text.partition("=")
    host, _, port = address.rpartition(":")
    if not (title and host and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigurationError("E-PULL-DESTINATION", text)
    return title, (host, int(port))
