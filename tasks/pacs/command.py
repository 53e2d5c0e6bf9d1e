"""The commands `safelight pull` and `safelight pacs serve`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from tasks.console import DONE, INCOMPLETE, finish, one_sentence, progress, say
from tasks.errors import ConfigurationError
from tasks.executor import OnWait
from tasks.guard import ErrorLog, boundary, seal
from tasks.pacs.asking.entry import ask, enter
from tasks.pacs.asking.plan import Plan
from tasks.pacs.asking.saved import read_plan
from tasks.pacs.asking.shown import show
from tasks.pacs.book import Book
from tasks.pacs.embedded.node import PacsNode
from tasks.pacs.waiting import sentence
from tasks.pseudonyms import Pseudonyms
from tasks.site import Site, open_site
from tasks.stage import Outcome
from tasks.vault import write_private


def pull(
    config: Annotated[Path, typer.Option("--config", help="The site's configuration file.")],
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Ask the PACSs, save and show the plan, and stop.")] = False,
    listed: Annotated[
        Path | None,
        typer.Option("--listed", help="CSV or Parquet with AccessionNumber, StudyInstanceUID or PatientID: these studies only."),
    ] = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="Pull this saved and reviewed plan as it stands, without asking anew.")
    ] = None,
) -> None:
    """Find the cohort's studies in the PACSs and pull those that are due into the vault.

    Which studies: what `cohort` says in the configuration file, or the rows of a list. The plan is saved in the vault's folder
    `plans`, one row a series, with identifiers; what is shown has none.

    Examples:

    safelight pull --config site.yaml

    safelight pull --config site.yaml --plan-only

    safelight pull --config site.yaml --plan vault/plans/20260131-200000.csv

    safelight pull --config site.yaml --listed accession-numbers.csv
    """
    with one_sentence():
        site = open_site(str(config.expanduser().absolute()))
        if not site.settings.pacs:
            raise ConfigurationError("E-CONFIG", "pacs is missing")
        if plan is not None and (plan_only or listed is not None):
            raise ConfigurationError("E-PULL-PLAN-OPTIONS")
        tell = _tell(ZoneInfo(site.settings.timezone))
        if plan is not None:
            with boundary("plan", site.errors):
                made = read_plan(plan.expanduser(), site.vault, [pacs.source for pacs in site.settings.pacs])
            saved = plan
            say(f"{len(made.pulled)} studies, {sum(len(study.series) for study in made.pulled)} series of the reviewed plan")
        else:
            changes = {"listed": listed.expanduser().absolute()} if listed is not None else {}
            cohort = site.settings.cohort.model_copy(update=changes)
            with boundary("plan", site.errors), progress("plan", None) as advance:
                made, saved = ask(site, cohort, lambda: advance("", Outcome("done")), tell)
            show_plan(made, site)
            say(f"Saved with identifiers, for review: {saved}")
        if plan_only:
            raise typer.Exit(INCOMPLETE if made.is_doubtful else DONE)
        with boundary("pull", site.errors):
            say(f"{enter(site, made)} new in the ledger")
            named = {Pseudonyms(site.vault.site_key()).study(study.study_instance_uid) for study in made.pulled}
            keys = sorted(named) if made.is_closed else list(site.ledger.studies())
            with site.ledger.run("pull") as run, progress("pull", len(keys)) as advance:
                summary = site.work("pull", run, keys, advance, tell)
        try:
            finish(summary, f"safelight status --config {config}, and {site.vault.root}")
        except typer.Exit as end:
            if made.is_doubtful and end.exit_code == DONE:
                say(f"Not all that is wanted could be found; look here: {saved}")
                raise typer.Exit(INCOMPLETE) from None
            raise


def _tell(zone: ZoneInfo) -> OnWait:
    """Says on the terminal that work waits, and that it goes on."""
    return lambda source, code, until: say(sentence(source, code, until, zone) if code else f"{source} goes on")


def show_plan(plan: Plan, site: Site) -> None:
    """The plan as tables of counts, without an identifier."""
    show(plan, site.settings.pacs, Book(site.ledger))


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
