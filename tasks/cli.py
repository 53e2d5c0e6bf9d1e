"""The `safelight` command: every stage on its own, the whole night, and what one asks in the morning."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from tasks import console as terminal
from tasks.console import one_sentence, say
from tasks.deferred import deferring

#: Each stage's own command, where it is.
_STAGES = {
    "pull": "tasks.pacs.command:pull",
    "deidentify": "tasks.deid.command:deidentify",
    "audit": "tasks.deid.audit.command:audit_site",
    "certificate": "tasks.deid.certificate.command:certificate",
    "import": "tasks.deid.command:import_table",
    "volumes": "tasks.volumes.command:volumes",
    "infer": "tasks.inference.command:infer",
    "deliver": "tasks.delivery.command:deliver",
    "delivery": "tasks.delivery.command:delivery",
    "return": "tasks.results.command:return_results",
    "evaluate": "tasks.evaluation.command:evaluate",
    "overlaps": "tasks.evaluation.endpoints.command:overlaps_table",
    "pccp": "tasks.changes.command:pccp",
    "monitor": "tasks.changes.monitor_command:monitor",
    "compact": "tasks.compact.command:compact",
    "gallery": "tasks.gallery.command:gallery",
    "review": "tasks.review.command:review",
    "report": "tasks.report.command:report",
    "publish": "tasks.report.publishing.command:publish",
    "verify": "tasks.report.publishing.command:verify_folder",
    "release": "tasks.release.command:release",
    "synthesize": "tasks.synthetic.command:synthesize",
}
_PACS = {
    "serve": "tasks.pacs.command:serve",
    "status": "tasks.pacs.control:status",
    "pause": "tasks.pacs.control:pause",
    "resume": "tasks.pacs.control:resume",
    "drain": "tasks.pacs.control:drain",
}

_MODELS = {
    "list": "tasks.inference.models_command:listed",
    "show": "tasks.inference.models_command:show",
    "add": "tasks.inference.models_command:add",
    "promote": "tasks.inference.models_command:promote",
    "history": "tasks.inference.models_command:history",
    "verify": "tasks.inference.models_command:verify",
    "readings": "tasks.inference.models_command:readings",
    "compare": "tasks.inference.models_command:compare_variants",
}

app = typer.Typer(
    cls=deferring(_STAGES), no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown",
    help="From a hospital's PACS to de-identified data sets, overnight model readings and subgroup validation reports.",
)  # fmt: skip
pacs = typer.Typer(
    cls=deferring(_PACS), no_args_is_help=True,
    help="How it stands with each PACS, and orders to wait; the embedded PACS.",
)  # fmt: skip
models = typer.Typer(
    cls=deferring(_MODELS), no_args_is_help=True,
    help="Model versions of a lake: which there are, what each said, and faster ways compared.",
)  # fmt: skip


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"safelight {version('safelight')}")
        raise typer.Exit(terminal.DONE)


@app.callback()
def _main(
    shown: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """From a hospital's PACS to de-identified data sets, overnight model readings and subgroup validation reports."""


Config = Annotated[Path, typer.Option(help="The site's configuration.", envvar="SAFELIGHT_CONFIG", show_default=False)]


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where everything is made.")] = Path("safelight-demo"),
    patients: Annotated[int, typer.Option(min=4, max=1000, help="Patients of the synthetic cohort.")] = 96,
    seed: Annotated[int, typer.Option(help="Seed of the synthetic cohort.")] = 20261124,
    keep_open: Annotated[bool, typer.Option(help="Leave the PACS and Prefect's page running at the end.")] = False,
) -> None:
    """The whole night on this machine, over a synthetic hospital.

    Example: `safelight demo --out /tmp/night --keep-open`
    """
    from tasks.demo import run

    with one_sentence():
        raise typer.Exit(run(out, patients=patients, seed=seed, keep_open=keep_open))


@app.command()
def nightly(config: Config) -> None:
    """The whole night once, now: pull, deidentify, volumes, infer, evaluate, publish.

    Example: `safelight nightly --config site.yaml`
    """
    from tasks.night import night_table, run_flow
    from tasks.orchestrator import server
    from tasks.preflight import check
    from tasks.site import open_site

    with one_sentence():
        site = open_site(str(config.absolute()))
        check(site)
        home = site.vault.root.parent / "prefect"
        with server(site.settings.prefect, home) as environment:
            log = Path(environment["PREFECT_HOME"]) / "flow.log"
            well = run_flow(config.absolute(), environment, site.ledger, log)
        terminal.console.print(night_table(site))
        if not well:
            say(f"The night is incomplete: `safelight status --config {config}` names what failed or waits,")
            say(f"the table's `find` what may be missing; the log is {log}")
        raise typer.Exit(terminal.DONE if well else terminal.INCOMPLETE)


@app.command()
def doctor(
    config: Annotated[
        Path | None,
        typer.Option(help="The site's configuration; without one, only the installation is checked.", envvar="SAFELIGHT_CONFIG"),
    ] = None,
) -> None:
    """Check versions, keys, permissions, the PACS (C-ECHO), Prefect, the model, the delivery and the disk.

    Example: `safelight doctor --config site.yaml`
    """
    from tasks.doctor import examine

    findings = examine(config)
    for finding in findings:
        say(f"{'ok  ' if finding.ok else 'BAD '} {finding.what}: {finding.said}")
    raise typer.Exit(terminal.DONE if all(finding.ok for finding in findings) else terminal.NOT_STARTED)


@app.command()
def status(config: Config) -> None:
    """Where every study is, what failed, and what was quarantined and why.

    Example: `safelight status --config site.yaml`
    """
    from zoneinfo import ZoneInfo

    from tasks.changes.alerts import alerts
    from tasks.delivery.stage import late_now
    from tasks.night import night_table
    from tasks.pacs.waiting import waiting
    from tasks.site import open_site
    from tasks.status import overview, table

    with one_sentence():
        site = open_site(str(config.absolute()))
        terminal.console.print(table(overview(site.ledger), "Studies"))
        terminal.console.print(night_table(site))
        for line in waiting(site.ledger, ZoneInfo(site.settings.timezone)):
            say(line)
        for line in (*late_now(site), *alerts(site.lake)):
            say(line)
        failed = [row for row in site.ledger.results().values() if row.status == "failed"]
        for row in failed[:50]:
            tried = f"after {row.attempts} attempt(s)"
            set_aside = (
                "; set aside, `safelight retry` takes it up again" if row.attempts >= site.settings.executor.max_attempts else ""
            )
            say(f"failed {row.stage} {row.study_key}: {row.reason_code} {tried}, error id {row.error_id or 'none'}{set_aside}")
        for run in site.ledger.runs()[:5]:
            say(f"run {run.run}: {run.state}")
        raise typer.Exit(terminal.INCOMPLETE if failed else terminal.DONE)


@app.command()
def reconcile(config: Config) -> None:
    """Close runs that were killed, free the studies they held, and remove what they left half-written.

    Example: `safelight reconcile --config site.yaml`
    """
    from tasks.site import open_site

    with one_sentence():
        counts = open_site(str(config.absolute())).reconcile()
        say(
            f"reconcile: {counts['runs']} runs closed, {counts['studies']} studies freed, {counts['leftovers']} leftovers removed"
        )


@app.command()
def retry(
    config: Config, stage: Annotated[str | None, typer.Option(help="Only this stage, as `safelight status` names it.")] = None
) -> None:
    """Let studies that were set aside after their last attempt be tried again on the next run.

    Example: `safelight retry --config site.yaml --stage pull`
    """
    from tasks.site import open_site

    with one_sentence():
        say(f"retry: {open_site(str(config.absolute())).ledger.retry(stage)} studies will be tried again")


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="SQL over the lake's tables, in DuckDB's dialect.")],
    lake: Annotated[Path, typer.Option(help="The lake's folder.")] = Path("lake"),
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values instead of a table.")] = False,
) -> None:
    """Ask the lake's tables.

    Example: `safelight query --lake lake "SELECT Manufacturer, count(*) AS n FROM series GROUP BY 1 ORDER BY 2 DESC"`
    """
    from tasks.query import as_csv, ask, draw

    with one_sentence():
        answer = ask(lake, sql)
        if csv:
            typer.echo(as_csv(answer), nl=False)
        else:
            terminal.console.print(draw(answer))


app.add_typer(pacs, name="pacs")
app.add_typer(models, name="models")


def main() -> None:
    """The console script."""
    app()
