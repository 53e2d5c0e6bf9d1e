"""`safelight report` writes all faces and says where, or says in one sentence why not."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from tasks.evaluation import results as schema
from tasks.evaluation.results import canonical
from tasks.report.command import report
from tasks.report.render import faces
from tests.tasks.report.made import bare, realistic, tampered
from tests.tasks.report.made_faces import rendered


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(report)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    schema.write(realistic(), tmp_path / "results.json")
    return tmp_path / "results.json"


def test_all_files_are_written_and_named(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report"
    ended = run(source, "--out", out)
    assert ended.exit_code == 0
    assert ended.output.splitlines()[0] == "report: 4 subgroups in 5 documents, of synthetic data"
    written = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    beside = {"manifest.json", "model-card.xml"}
    assert beside <= set(written)
    assert {name: face for name, face in written.items() if name not in beside} == rendered("realistic")


def test_tables_of_an_earlier_report_do_not_stay_and_other_files_do(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    (out / "tables").mkdir(parents=True)
    for name in ("99-of-an-earlier-report.csv", "mine.csv", "99-mine.txt"):
        (out / "tables" / name).write_text("", "utf-8")
    assert run(source, "--out", out).exit_code == 0
    assert {f"tables/{path.name}" for path in (out / "tables").iterdir()} == {
        name for name in (*rendered("realistic"), "tables/mine.csv", "tables/99-mine.txt") if name.startswith("tables/")
    }


def test_a_report_beside_its_results_leaves_them_as_they_are(source: Path) -> None:
    before = source.read_bytes()
    assert run(source, "--out", source.parent).exit_code == 0
    assert source.read_bytes() == before


def test_the_results_that_are_handed_on_are_those_of_the_report() -> None:
    spaced = b" " + canonical(bare())
    assert faces(bare(), spaced)["results.json"] == spaced
    with pytest.raises(ValueError, match="not that of the results"):
        faces(bare(), canonical(realistic()))


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xfe", b'{"schema_name": "safelight-results-1"}'])
def test_a_file_that_is_no_result_is_refused_before_any_work(content: bytes | None, tmp_path: Path) -> None:
    source = tmp_path / "results.json"
    if content is not None:
        source.write_bytes(content)
    ended = run(source, "--out", tmp_path / "out")
    assert ended.exit_code == 2
    assert "E-REPORT-INPUT" in ended.output
    assert not (tmp_path / "out").exists()


def test_results_that_contradict_themselves_write_nothing(tmp_path: Path) -> None:
    schema.write(tampered(ppv=0.9808), tmp_path / "results.json")
    ended = run(tmp_path / "results.json", "--out", tmp_path / "out")
    assert ended.exit_code == 1
    assert "E-REPORT-MISMATCH" in ended.output
    assert "ppv" in ended.output
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_said(source: Path) -> None:
    ended = run(source, "--out", source / "out")
    assert ended.exit_code == 2
    assert "E-REPORT-OUTPUT" in ended.output
