"""What is wrong with a site's configuration is one clear sentence and exit code 2, before any work."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from typer.testing import CliRunner, Result

from tasks.cli import app
from tasks.errors import ConfigurationError
from tasks.pacs.embedded.node import PacsNode
from tasks.preflight import check
from tasks.site import MINIMUM_FREE_BYTES, open_site
from tests.ports import free_port

ROOT = Path(__file__).parents[2]


class Site(NamedTuple):
    """A site's folder and configuration, before it is broken."""

    folder: Path
    content: dict[str, Any]

    def write(self) -> Path:
        path = self.folder / "safelight.yaml"
        path.write_text(yaml.safe_dump(self.content), "utf-8")
        return path


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PacsNode]:
    with PacsNode(tmp_path_factory.mktemp("archive"), "ARCHIVE") as node:
        yield node


@pytest.fixture
def site(tmp_path: Path, pacs: PacsNode) -> Site:
    content = yaml.safe_load((ROOT / "configs" / "demo.yaml").read_text("utf-8"))
    content["pacs"] |= {"ae_title": "ARCHIVE", "port": pacs.port, "acse_timeout_s": 3}
    content["receivers"][0]["port"] = free_port()
    content["prefect"]["port"] = free_port()
    shutil.copyfile(ROOT / "configs" / "plans" / "demo.yaml", tmp_path / "plan.yaml")
    (tmp_path / "hospital").mkdir()
    for name in ("reference", "demographics"):
        (tmp_path / "hospital" / f"{name}.csv").write_text("AccessionNumber\n")
    return Site(tmp_path, content)


def night(config: Path) -> Result:
    return CliRunner(env={"COLUMNS": "400"}).invoke(app, ["nightly", "--config", str(config)])


def missing_key(site: Site) -> None:
    del site.content["pacs"]["host"]


def wrong_type(site: Site) -> None:
    site.content["pacs"]["port"] = "eleven"


def unknown_field(site: Site) -> None:
    site.content["executor"]["wrokers"] = 4


def unknown_zone(site: Site) -> None:
    site.content["timezone"] = "Mars/Olympus"


def nobody_there(site: Site) -> None:
    site.content["pacs"]["port"] = free_port()


def no_such_host(site: Site) -> None:
    site.content["pacs"]["host"] = "pacs.invalid"


def wrong_title(site: Site) -> None:
    site.content["pacs"]["ae_title"] = "SOMEBODY"


def unwritable_lake(site: Site) -> None:
    (site.folder / "lake").write_text("a file where a folder should be")


def readable_vault(site: Site) -> None:
    (site.folder / "vault").mkdir()
    (site.folder / "vault").chmod(0o755)


def wrong_key(site: Site) -> None:
    (site.folder / "vault").mkdir(mode=0o700)
    (site.folder / "vault" / "site.key").write_bytes(b"short")


def unreachable_ledger(site: Site) -> None:
    site.content["ledger"] = "sqlite:////nowhere/ledger.db"


def no_profile(site: Site) -> None:
    site.content["deidentify"]["profile"] = "lenient"


def no_model(site: Site) -> None:
    site.content["inference"]["model"] = "another"


def broken_plan(site: Site) -> None:
    (site.folder / "plan.yaml").write_text("title: only this\n")


def threshold_of_another_model(site: Site) -> None:
    plan = yaml.safe_load((site.folder / "plan.yaml").read_text("utf-8"))
    (site.folder / "plan.yaml").write_text(yaml.safe_dump(plan | {"model": "another"}))


def no_labels(site: Site) -> None:
    (site.folder / "hospital" / "reference.csv").unlink()


BROKEN = {
    missing_key: "E-CONFIG: .*pacs.host is missing", wrong_type: "E-CONFIG: .*pacs.port", unknown_field: "E-CONFIG: .*executor.wrokers is not a",
    unknown_zone: "E-CONFIG: .*timezone", nobody_there: "E-PULL-UNREACHABLE", no_such_host: "E-PULL-UNREACHABLE.*no such host",
    wrong_title: "E-PULL-AE-REJECTED.*does not answer to the called AE title", unwritable_lake: "E-LAKE-UNWRITABLE",
    readable_vault: "E-VAULT-EXPOSED.*chmod", wrong_key: "E-VAULT-KEY", unreachable_ledger: "E-LEDGER-UNREACHABLE", no_profile: "E-DEID-PROFILE",
    no_model: "E-INFER-MODEL-MISSING.*demo_nodule", broken_plan: "E-EVAL-PLAN.*finding is missing", threshold_of_another_model: "E-EVAL-THRESHOLD",
    no_labels: "E-CONFIG: .*reference.csv cannot be read",
}  # fmt: skip


@pytest.mark.parametrize("breaking", BROKEN, ids=lambda each: each.__name__)
def test_a_night_that_cannot_work_is_not_begun(breaking: Callable[[Site], None], site: Site) -> None:
    breaking(site)
    ended = night(site.write())
    assert ended.exit_code == 2, ended.output
    (sentence,) = ended.stderr.strip().splitlines()
    assert re.search(BROKEN[breaking], sentence), sentence
    assert ended.stdout == ""
    assert_nothing_was_done(site)


def assert_nothing_was_done(site: Site) -> None:
    assert not (site.folder / "prefect").exists(), "Prefect's server was started for nothing"
    for zone in (site.folder / "lake", site.folder / "vault" / "spool"):
        assert not zone.is_dir() or not [path for path in zone.rglob("*") if path.is_file()]


def test_a_full_disk_is_said_before_the_night(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(site.folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=MINIMUM_FREE_BYTES - 1))
    ended = night(site.write())
    assert ended.exit_code == 2
    assert "E-DISK-FULL" in ended.stderr
    assert "1023 MiB free, 1024 MiB needed" in ended.stderr
    assert_nothing_was_done(site)


def test_a_configuration_that_is_not_there_or_no_yaml_is_said(tmp_path: Path) -> None:
    assert (night(tmp_path / "none.yaml").exit_code, night(tmp_path / "none.yaml").stdout) == (2, "")
    (tmp_path / "odd.yaml").write_text("pacs: [1\n")
    ended = night(tmp_path / "odd.yaml")
    assert ended.exit_code == 2
    assert "E-CONFIG-SYNTAX" in ended.stderr
    assert "line 2" in ended.stderr


def test_the_doctor_finds_a_good_site_good_and_names_what_is_wrong(site: Site) -> None:
    runner = CliRunner(env={"COLUMNS": "400"})
    good = runner.invoke(app, ["doctor", "--config", str(site.write())])
    assert good.exit_code == 0, good.output
    assert {line.split(":")[0] for line in good.output.splitlines()} >= {
        "ok   vault", "ok   lake", "ok   ledger", "ok   PACS ARCHIVE", "ok   receiver SAFELIGHT", "ok   de-identification", "ok   models",
        "ok   plan",
        "ok   import of reference", "ok   import of cohort", "ok   python", "ok   torch", "ok   analytics",
    }  # fmt: skip
    no_labels(site)
    site.content["pacs"]["ae_title"] = "SOMEBODY"
    site.write().replace(site.folder / "other.yaml")
    bad = runner.invoke(app, ["doctor", "--config", str(site.folder / "other.yaml")])
    assert bad.exit_code == 2
    wrong = [line for line in bad.output.splitlines() if line.startswith("BAD")]
    assert [line.split(":")[0] for line in wrong] == ["BAD  PACS SOMEBODY", "BAD  import of reference"]
    assert "E-PULL-AE-REJECTED" in wrong[0]


def test_the_doctor_without_a_configuration_looks_at_the_installation() -> None:
    ended = CliRunner().invoke(app, ["doctor"])
    assert ended.exit_code == 0
    assert "prefect: 3.8.8" in ended.output


def test_of_several_pacss_one_that_is_away_does_not_keep_the_night_from_the_others(site: Site) -> None:
    good = site.content["pacs"]
    gone = {**good, "name": "gone", "port": free_port()}
    site.content["pacs"] = [gone, good]
    check(open_site(str(site.write())))
    site.content["pacs"] = [gone]
    site.write().replace(site.folder / "other.yaml")
    with pytest.raises(ConfigurationError, match="E-PULL-UNREACHABLE"):
        check(open_site(str(site.folder / "other.yaml")))
