"""`safelight release` freezes, verifies and exports, and says what it did in a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tasks.cli import app
from tasks.lake import Lake
from tests.tasks.release.made import patient, study


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("tasks.release.command.seal", lambda _errors: None)  # it is for a process of its own


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["release", *map(str, arguments)])


def test_freezing_verifying_and_exporting_each_end_with_a_line(lake: Lake, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = run("chest", "--lake", lake.url, "--export", "monai,webdataset", "--out", out)
    assert ended.exit_code == 0, ended.output
    first = ended.output.splitlines()[0]
    assert first.startswith(
        "release chest 1.0.0: frozen · 20 persons, 21 studies, 21 volumes (train 15, validation 3, test 3) · left out "
    )
    assert "export monai: chest 1.0.0, copied 21 · " in ended.output
    assert "export webdataset: chest 1.0.0, copied 21 · " in ended.output
    assert "is there already, with the same content" in run("chest", "--lake", lake.url).output
    study(lake, 40)  # what was frozen can still be exported
    ended = run("export", "chest", "--lake", lake.url, "--export", "monai", "--out", out)
    assert (ended.exit_code, ended.output) == (0, f"export monai: chest 1.0.0, kept 21 · {out / 'chest-1.0.0' / 'monai'}\n")
    ended = run("chest", "--lake", lake.url)
    assert ended.exit_code == 2
    assert "E-RELEASE-EXISTS" in ended.output
    assert run("chest", "--lake", lake.url, "--version", "1.1.0", "--keep-splits-of", "1.0.0").exit_code == 0
    ended = run("verify", "chest", "--lake", lake.url)
    assert (ended.exit_code, ended.output.count("0 changed, 0 missing")) == (0, 2)


def test_a_damaged_release_ends_with_1_and_names_the_file(lake: Lake) -> None:
    run("chest", "--lake", lake.url)
    path = lake.files("volumes")[0]
    (Path(lake.url) / path).write_bytes(b"")
    ended = run("verify", "chest", "--lake", lake.url, "--version", "1.0.0")
    assert ended.exit_code == 1
    assert f"  changed {path}" in ended.output
    ended = run("new", "--lake", lake.url)
    assert ended.exit_code == 1
    assert "E-RELEASE-VOLUME" in ended.output


def test_the_examples_of_the_settings_are_used(lake: Lake, tmp_path: Path) -> None:
    study(lake, 60, {"n_slices": 60})
    configs = Path(__file__).parents[3] / "configs" / "releases"
    (tmp_path / "merges.csv").write_text(f"PatientID,same_as\n{patient(1)},{patient(2)}\n", "utf-8")
    ended = run("thin", "--lake", lake.url, "--rule", configs / "thin_chest_ct.yaml", "--about", configs / "about_example.yaml",
                "--merges", tmp_path / "merges.csv", "--splits", "all=1", "--stratify", "", "--small-cells", 5)  # fmt: skip
    assert ended.exit_code == 0, ended.output
    assert "1 persons, 1 studies, 1 volumes (all 1)" in ended.output
    assert "CC-BY-4.0" in lake.read("releases/thin/1.0.0/card.md").decode()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["a", "b"], "E-RELEASE-NAME"), (["verify", "a", "b"], "E-RELEASE-NAME"), (["verify", "none"], "E-RELEASE-MISSING"),
        (["verify"], "E-RELEASE-NAME"), (["export", "chest"], "E-RELEASE-EXPORT"), (["chest", "--splits", "a=2"], "E-RELEASE-SPLITS"),
        (["export", "none", "--export", "bids", "--out", "/nowhere/at/all"], "E-RELEASE-MISSING"),
        (["chest", "--rule", "none.yaml"], "E-RELEASE-RULE"), (["chest", "--export", "bids"], "E-RELEASE-EXPORT"),
    ],
)  # fmt: skip
def test_what_cannot_start_ends_with_2_and_one_sentence(lake: Lake, arguments: list[str], code: str) -> None:
    ended = run(*arguments, "--lake", lake.url)
    assert ended.exit_code == 2
    assert ended.output.startswith(code)
    assert ended.output.count("\n") == 1
