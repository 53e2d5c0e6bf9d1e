"""The page on the command line runs as it stands: from a folder of DICOM to a report, and from a PACS."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.prefect_home import migrated_home

COMMAND_LINE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.timeout(1300)
def test_the_page_on_the_command_line_runs_as_it_stands(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    page = COMMAND_LINE
    for port in ("11112", "11113", "4210"):
        page = page.replace(port, str(free_port()))
    for name, content in re.findall(r"```yaml file=(\S+)\n(.*?)```", page, re.DOTALL):
        (tmp_path / name).write_text(content, "utf-8")
    migrated_home(tmp_path / "prefect", tmp_path_factory)
    script = "set -e -o pipefail\nset -m\n" + "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1200, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "DEBUG" not in said, "a package talks to itself"
    assert "deidentify: studies 9 done" in said
    assert "infer:demo_nodule@" in said
    assert "ok   PACS ARCHIVE: ARCHIVE" in said
    assert (tmp_path / "out" / "report.pdf").stat().st_size > 10_000
    assert (tmp_path / "site-lake" / "reports" / "report.html").is_file()
    assert (tmp_path / "predictions.csv").read_text("utf-8").count("\n") == 10
