"""Fixtures for tests that run whole nights: one small synthetic hospital, one Prefect server, and sites that share them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tasks import orchestrator
from tasks.lake import Lake
from tasks.ledger import Ledger
from tasks.night import command
from tasks.orchestrator import server
from tasks.pacs.embedded.node import PacsNode
from tasks.report.publishing.archive import Archive
from tasks.report.publishing.verify import verify_archive
from tasks.settings import PrefectSettings
from tasks.synthetic.cohort import make_cohort
from tasks.vault import Vault, write_private
from tests.once import once
from tests.ports import free_port
from tests.prefect_home import shared_home

ROOT = Path(__file__).parents[1]
PATIENTS, SEED = 6, 77


@dataclass
class Ward:
    """A site of its own (vault, lake, ledger) over the shared hospital."""

    folder: Path
    config: Path
    environment: dict[str, str]

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    @property
    def vault(self) -> Path:
        return self.folder / "vault"

    @property
    def log(self) -> Path:
        return self.folder / "flow.log"

    def ledger(self) -> Ledger:
        return Ledger(f"sqlite:///{self.vault / 'ledger.db'}")

    def begin(self) -> subprocess.Popen[bytes]:
        """Start a night in a process group of its own."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command(self.config), env=self.environment, cwd=ROOT,
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def night(self) -> int:
        """One whole night; its exit code."""
        return self.begin().wait(300)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """kill -9 the night and its workers."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _is_of_its_course(self, path: Path) -> bool:
        place = str(path.relative_to(self.lake))
        archive = ("reports/archive/", "reports/latest.json", "manifests/publish/")
        return place.startswith(("reports/certificate.", "manifests/certificate/", *archive))

    def tree(self) -> dict[str, str]:
        """Every file of the lake and its SHA-256, but for what tells of the night's course: the certificate says when the release was made, and
        the archive keeps each report that was published on the way (`archived`)."""
        files = (path for path in sorted(self.lake.rglob("*")) if path.is_file() and not self._is_of_its_course(path))
        return {str(path.relative_to(self.lake)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def archived(self) -> bytes:
        """The latest report's results; every report of the archive, and its index, hold against themselves."""
        lake = Lake(str(self.lake))
        held = verify_archive(Archive(lake, "reports/archive"))
        assert [each for each in held if not each.ok] == []
        latest = json.loads(lake.read("reports/latest.json"))["path"]
        return lake.read(f"reports/{latest}/results.json")


def _synthetic(name: str, patients: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic hospital that all processes of a test session share, and only read."""

    def make() -> Path:
        folder = tmp_path_factory.mktemp(name)
        make_cohort(folder, seed=SEED, patients=patients)
        return folder

    return once(name, make)


@pytest.fixture(scope="session")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic hospital: DICOM, labels, demographics, and the list of its planted identifiers."""
    return _synthetic("hospital", PATIENTS, tmp_path_factory)


@pytest.fixture(scope="session")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As small a hospital as a night can be made of, where only its course matters."""
    return _synthetic("clinic", 4, tmp_path_factory)


@pytest.fixture(scope="session")
def identifiers(hospital: Path) -> list[str]:
    """Every planted identifier."""
    return [entry["value"] for entry in json.loads((hospital / "identifiers.json").read_text("utf-8"))]


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of the Prefect server that all processes of a test session share: the first starts it, the last stops it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orchestrator, "_START_SECONDS", 480.0)  # no test fails because the machine is slow
        with server(PrefectSettings(port=free_port()), shared_home(tmp_path_factory)) as environment:
            yield environment


MakeWard = Callable[..., Ward]


@pytest.fixture
def ward(tmp_path: Path, hospital: Path, prefect: dict[str, str]) -> Iterator[MakeWard]:
    """Makes sites; each gets a PACS node of its own over a shared hospital, and the same site key, so that lakes compare."""
    with ExitStack() as stack:
        yield _maker(stack, tmp_path, hospital, prefect)


@pytest.fixture(scope="module")
def module_ward(tmp_path_factory: pytest.TempPathFactory, hospital: Path, prefect: dict[str, str]) -> Iterator[MakeWard]:
    """The same, for sites that all tests of a module share."""
    with ExitStack() as stack:
        yield _maker(stack, tmp_path_factory.mktemp("wards"), hospital, prefect)


def _maker(stack: ExitStack, parent: Path, hospital: Path, prefect: dict[str, str]) -> MakeWard:
    def make(name: str, *, batch_size: int = 2, workers: int = 2, over: Path = hospital) -> Ward:
        folder = parent / name
        folder.mkdir(mode=0o700)
        vault = Vault.open(folder / "vault")
        write_private(vault.root / "site.key", bytes(range(32)))
        content = yaml.safe_load((ROOT / "configs" / "demo.yaml").read_text("utf-8"))
        _serve(content, over, stack)
        content["executor"] |= {"batch_size": batch_size, "workers": workers}
        for entry in content["imports"]:
            entry["file"] = str(over / Path(entry["file"]).name)
        content["prefect"] = {"api_url": prefect["PREFECT_API_URL"]}
        shutil.copyfile(ROOT / "configs" / "plans" / "demo.yaml", folder / "plan.yaml")
        config = folder / "safelight.yaml"
        config.write_text(yaml.safe_dump(content), "utf-8")
        return Ward(folder, config, prefect)

    return make


def _serve(content: dict[str, Any], over: Path, stack: ExitStack) -> None:
    """Start a PACS node over a hospital, and write into a site's configuration where it is and where it sends to."""
    pacs, receiver = content["pacs"], free_port()
    node = PacsNode(over / "dicom", pacs["ae_title"], destinations={pacs["calling_ae_title"]: ("127.0.0.1", receiver)})
    stack.enter_context(node)
    pacs |= {"port": node.port}
    content["receivers"][0]["port"] = receiver


class ProcessArguments(threading.Thread):
    """Watches the command lines of a process and all its children."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.seen, self.stop = pid, set[str](), threading.Event()

    def run(self) -> None:
        while not self.stop.wait(0.1):
            try:
                family = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
                self.seen |= {" ".join(process.cmdline()) for process in family}
            except psutil.Error:
                continue  # a process that has just ended has no arguments any more


@dataclass(frozen=True)
class Calm:
    """A site after one night in which nothing happened, the seconds that it took, and the command lines of its processes."""

    site: Ward
    seconds: float
    arguments: set[str]


@pytest.fixture(scope="session")
def calm(hospital: Path, prefect: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Calm:
    """A calm night that all processes of a test session share: they read of it, and begin no other there (`calm_again`)."""

    def make() -> Calm:
        with ExitStack() as stack:
            site = _maker(stack, tmp_path_factory.mktemp("calm"), hospital, prefect)("calm")
            began = time.monotonic()
            process = site.begin()
            arguments = ProcessArguments(process.pid)
            arguments.start()
            assert process.wait(300) == 0, site.log.read_text()
            seconds = time.monotonic() - began
            arguments.stop.set()
            arguments.join()
        time.sleep(1)  # Prefect's client sends its last log records in the background
        return Calm(site, seconds, arguments.seen)

    return once("calm-night", make)


@pytest.fixture
def calm_again(calm: Calm, hospital: Path, tmp_path: Path) -> Iterator[Ward]:
    """A copy of the site of the calm night, with a PACS node of its own, for another night."""
    site = replace(calm.site, folder=tmp_path / "calm", config=tmp_path / "calm" / calm.site.config.name)
    shutil.copytree(calm.site.folder, site.folder)
    content = yaml.safe_load(site.config.read_text("utf-8"))
    with ExitStack() as stack:
        _serve(content, hospital, stack)
        site.config.write_text(yaml.safe_dump(content), "utf-8")
        yield site
