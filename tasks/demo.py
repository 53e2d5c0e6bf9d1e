"""The whole night on one machine: a synthetic hospital, its PACS, a Prefect server, and one night over all of it."""

from __future__ import annotations

import shutil
import socket
from collections import Counter
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import yaml

from tasks import accountability
from tasks.console import DONE, INCOMPLETE, console, progress, say
from tasks.errors import SafelightError
from tasks.night import night_table, run_flow
from tasks.orchestrator import server
from tasks.pacs.embedded.node import PacsNode
from tasks.settings import Settings
from tasks.site import Site, open_site
from tasks.stage import Outcome
from tasks.status import overview
from tasks.synthetic.cohort import make_cohort, real_files
from tasks.vault import private_folder

_COMPLETE = ".complete"


def prepare(out: Path, *, patients: int, seed: int) -> Path:
    """Make the demo's hospital and configuration in `out`, where they are not there yet; return the configuration's path."""
    private_folder(out)
    hospital = out / "hospital"
    if not (hospital / _COMPLETE).exists():
        shutil.rmtree(hospital, ignore_errors=True)
        private_folder(hospital)
        with progress("making the synthetic hospital", patients) as advance:
            make_cohort(hospital, seed=seed, patients=patients, progress=lambda: advance("", Outcome("done")), workers=2)
        real_files(hospital / "dicom")
        (hospital / _COMPLETE).touch()
    shutil.copyfile(str(files("configs").joinpath("plans", "demo.yaml")), out / "plan.yaml")
    config = out / "safelight.yaml"
    if not config.exists():
        shutil.copyfile(str(files("configs").joinpath("demo.yaml")), config)
    _free_ports(config)
    return config


def run(out: Path, *, patients: int, seed: int, keep_open: bool) -> int:
    """One night over the synthetic hospital; returns the exit code."""
    out = out.absolute()
    config = prepare(out, patients=patients, seed=seed)
    site = open_site(str(config))
    settings = site.settings
    if not settings.pacs:
        raise SafelightError("E-CONFIG", "pacs is missing")
    pacs = settings.pacs[0]
    destinations = {receiver.ae_title: (receiver.host, receiver.port) for receiver in settings.receivers}
    with (
        PacsNode(out / "hospital" / "dicom", pacs.ae_title, port=pacs.port, destinations=destinations) as node,
        server(settings.prefect, out / "prefect") as environment,
    ):
        say(f"PACS: {pacs.ae_title} on 127.0.0.1:{node.port} · Prefect: {_page(environment)}")
        before = [(row.study_key, row.stage, row.fingerprint, row.started_at) for row in site.ledger.results().values()]
        log = out / "prefect" / "flow.log"
        well = run_flow(config, environment, site.ledger, log)
        after = [(row.study_key, row.stage, row.fingerprint, row.started_at) for row in site.ledger.results().values()]
        _report(site, out, nothing_new=before == after)
        for reason, n in sorted(Counter(reason for _, reason in node.refused).items()):
            say(f"Not listed:  {n} files of the hospital that no archive could serve: {reason}")
        if keep_open:
            say("The PACS and Prefect's page stay open; press Ctrl-C to stop.")
            with suppress(KeyboardInterrupt):
                node.serve_forever()
    if not well:
        say(f"The night is incomplete: see the table for what failed or may be missing (`find`); its log is {log}")
    return DONE if well else INCOMPLETE


def _report(site: Site, out: Path, *, nothing_new: bool) -> None:
    if nothing_new:
        say("Nothing was due: no study was new or changed, and nothing was done twice.")
    accountability.check(accountability.rows(site.ledger))
    console.print(night_table(site))
    failed = sum(status.failed for status in overview(site.ledger))
    say("The counts balance, to the instance." if not failed else f"{failed} studies failed: `safelight status` names them.")
    say(f"Report:      {out / 'lake' / 'reports' / 'report.html'} (and .pdf, .docx, .xlsx)")
    say(f"All reports: {out / 'lake' / 'reports' / 'archive' / 'index.html'}")
    say(f"Certificate: {out / 'lake' / 'reports' / 'certificate.html'}")
    say(f"Tables:      {out / 'lake' / 'tables'}")
    say(f"Results:     {out / 'lake' / 'results' / 'results.json'}")
    say(f"Quarantine:  {out / 'vault' / 'quarantine'}")
    say(f'Ask:         safelight query --lake {out / "lake"} "SHOW TABLES"')


def _page(environment: dict[str, str]) -> str:
    return environment["PREFECT_API_URL"].removesuffix("/api")


def _free_ports(config: Path) -> None:
    """Replace the configuration's ports that are in use on this machine by free ones."""
    settings = Settings.model_validate(yaml.safe_load(config.read_text("utf-8")))
    ports = [*(each.port for each in settings.pacs), *(each.port for each in settings.receivers), settings.prefect.port]
    text = config.read_text("utf-8")
    for port in ports:
        if _is_busy(port):
            text = text.replace(str(port), str(_free_port()))
    config.write_text(text, "utf-8")


def _is_busy(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
