"""`safelight review` on lakes: the folder it writes, what it says, and what the real stage's reading looks like in it."""

from __future__ import annotations

import json
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from lxml import html
from typer import Typer
from typer.testing import CliRunner, Result

from tasks.inference.bundle import load
from tasks.inference.execution import REFERENCE
from tasks.inference.registry import register
from tasks.inference.stage import InferStage
from tasks.lake import Lake
from tasks.review import index
from tasks.review.cases import collect
from tasks.review.command import review
from tasks.stage import fingerprint
from tests.tasks.review import made

APP = Typer()
APP.command()(review)
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'


@pytest.fixture(autouse=True)
def _private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("tasks.review.command.seal", lambda errors: None)  # it would silence this process for good


def call(*arguments: object) -> Result:
    return CliRunner().invoke(APP, [str(argument) for argument in arguments])


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """Three studies, of which one was not read, for a detection model."""
    lake, model = made.opened(tmp_path, "detection")
    for n in range(2):
        rows = made.publish(lake, n + 1, made.volume(n, voxels=made.chest((9, 8, 7), n), Manufacturer=HOSTILE))
        made.say(lake, model, rows, {"nodule": 0.9 - n / 2}, boxes={"nodule": [(((1, 1, 1), (4, 4, 4)), 0.9 - n / 2)]})
    made.say(lake, model, made.publish(lake, 3, made.volume(3, SliceThickness=20.0)), {}, reasons=["E-INFER-SPACING"])
    return tmp_path


def test_a_review_is_a_folder_of_pages_and_the_same_bytes_each_time(filled: Path) -> None:
    arguments = ("--lake", filled / "lake", "--model", "tiny_detection@1.0.0", "--out", filled / "out")
    before = bytes_below(filled / "lake")
    said = call(*arguments)
    assert said.exit_code == 0, said.output
    assert "3 studies, 2 read, 1 not read; 3 cases" in said.output
    first = bytes_below(filled / "out")
    assert sorted(first) == ["cases/2.25.1.html", "cases/2.25.2.html", "cases/2.25.3.html", "index.html", "review.json"]
    told = json.loads(first["review.json"])
    assert (told["studies"], told["read"], told["not_read"]) == (3, 2, {"E-INFER-SPACING": 1})
    (filled / "out" / "cases" / "2.25.1.html").write_text("damaged")
    assert call(*arguments).exit_code == 0
    assert bytes_below(filled / "out") == first
    assert bytes_below(filled / "lake") == before
    assert not [path for path in filled.iterdir() if path.name.startswith(".out")]


def test_pages_load_nothing_and_no_value_becomes_a_part_of_them(filled: Path) -> None:
    assert call("--lake", filled / "lake", "--model", "tiny_detection@1.0.0", "--out", filled / "out").exit_code == 0
    for name, content in bytes_below(filled / "out").items():
        if name.endswith(".json"):
            continue
        page = html.fromstring(content.decode())
        assert {element.tag for element in page.iter()} & {"link", "iframe", "object", "embed", "form", "base", "img"} == set()
        assert len(page.xpath("//script")) == (name == "index.html")
        assert "default-src 'none'" in page.xpath("//meta[@http-equiv]/@content")[0]
        for element in page.iter():
            for key, value in element.items():
                assert not key.startswith("on")
                assert key not in {"style", "src"}
                if key == "href" and element.tag == "image":
                    assert value.startswith("data:image/webp;base64,")
                elif key == "href":
                    assert value.startswith("#") or ((filled / "out" / name).parent / value).exists(), value
    assert HOSTILE in " ".join(html.fromstring((filled / "out/cases/2.25.1.html").read_text("utf-8")).itertext())


def test_cases_are_linked_to_their_neighbours_and_pages(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "LINES", 2)
    assert call("--lake", filled / "lake", "--model", "tiny_detection@1.0.0", "--out", filled / "out").exit_code == 0
    links = [html.fromstring((filled / f"out/cases/2.25.{n}.html").read_text("utf-8")).xpath("//nav//a/@href") for n in (1, 2, 3)]
    assert links == [
        ["../index.html", "2.25.2.html"],
        ["../index.html", "2.25.1.html", "2.25.3.html"],
        ["../index-2.html", "2.25.2.html"],
    ]
    first, second = (html.fromstring((filled / "out" / name).read_text("utf-8")) for name in ("index.html", "index-2.html"))
    assert first.xpath("//nav//a/@href") == ["index-2.html"]
    assert [len(page.xpath("//table[@id='cases']/tbody/tr")) for page in (first, second)] == [2, 1]
    assert "3 studies = 2 read + 1 not read" in second.text_content()


def test_a_folder_of_something_else_is_never_touched(filled: Path) -> None:
    arguments = ("--lake", filled / "lake", "--model", "tiny_detection@1.0.0", "--out", filled / "out")
    (filled / "out").mkdir()
    (filled / "out" / "thesis.txt").write_text("mine")
    said = call(*arguments)
    assert said.exit_code == 2
    assert "E-REVIEW-OUTPUT" in said.output
    assert bytes_below(filled / "out") == {"thesis.txt": b"mine"}
    (filled / "out" / "thesis.txt").unlink()
    assert call(*arguments).exit_code == 0
    (filled / "out" / "notes.txt").write_text("mine too")
    assert call(*arguments).exit_code == 2
    assert (filled / "out" / "notes.txt").read_text() == "mine too"


def test_a_case_without_pictures_ends_with_1_and_says_why(filled: Path) -> None:
    lake = Lake.open(filled / "lake")
    made.publish(lake, 1, made.volume(0, voxels=made.chest((9, 8, 7), 99)))
    said = call("--lake", filled / "lake", "--model", "tiny_detection@1.0.0", "--out", filled / "out")
    assert said.exit_code == 1
    assert "1 without pictures (1 E-REVIEW-STALE)" in said.output
    page = (filled / "out/cases/2.25.1.html").read_text("utf-8")
    assert "<image" not in page
    assert "E-REVIEW-STALE" in page
    assert "due again" in (filled / "out/index.html").read_text("utf-8")


def test_disagreement_needs_a_reference(filled: Path) -> None:
    said = call("--lake", filled / "lake", "--model", "tiny_detection@1.0.0", "--out", filled / "out", "--only", "disagreement")
    assert said.exit_code == 2
    assert "E-REVIEW-CHOICE" in said.output
    labels = filled / "labels.csv"
    labels.write_text("StudyInstanceUID,finding,label\n2.25.1,nodule,0\n2.25.2,nodule,1\n", "utf-8")
    said = call(
        "--lake",
        filled / "lake",
        "--model",
        "tiny_detection@1.0.0",
        "--out",
        filled / "out",
        "--only",
        "disagreement",
        "--reference",
        labels,
    )
    assert said.exit_code == 0, said.output
    assert [path.name for path in (filled / "out/cases").iterdir()] == ["2.25.1.html"]
    text = " ".join(html.fromstring((filled / "out/index.html").read_text("utf-8")).text_content().split())
    assert "1 of 3 studies are shown (only those that are in disagreement with the reference)." in text


def test_what_the_real_stage_read_is_shown(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    model = load("demo_nodule")
    register(lake, model)
    i, j, k = np.meshgrid(*(np.linspace(-1, 1, n) for n in (64, 56, 48)), indexing="ij")
    inside = (np.abs(i) - 0.45) ** 2 / 0.11 + j**2 / 0.45 + k**2 / 0.9 < 1
    voxels = np.where(inside, -830, np.where(i**2 + j**2 < 0.95, 30, -1000)).astype(np.int16)
    made.publish(lake, 1, made.volume(voxels=voxels, affine=made.affine(spacing=(5.0, 5.0, 5.0))))
    stage = InferStage(lake, "demo_nodule@1.0.1", REFERENCE)
    inputs = lake.manifest("volumes", "2.25.1").digest  # type: ignore[union-attr]
    stage.run("2.25.1", inputs, fingerprint(stage, inputs))
    (case,) = collect(lake, stage.bundle)
    assert case.is_current
    said = call("--lake", tmp_path / "lake", "--model", "demo_nodule@1.0.1", "--out", tmp_path / "out")
    assert said.exit_code == 0, said.output
    page = (tmp_path / "out/cases/2.25.1.html").read_text("utf-8")
    assert page.count("<image ") == 3
    for name in ("weights_sha256", "manifest_sha256", "preprocessing_sha256", "code_sha256"):
        assert case.row[name] in page
    # what a page names are the lake's keys, and no time
    assert set(re.findall(r"2\.25\.\d+", page)) == {"2.25.1", "2.25.1000"}
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b|\b\d\d:\d\d:\d\d\b", page)


def test_one_volume_at_a_time_is_in_memory(tmp_path: Path) -> None:
    lake, model = made.opened(tmp_path)
    peaks, size = [], 96 * 96 * 64 * 2
    for n in range(5):
        made.say(lake, model, made.publish(lake, n + 1, made.volume(n, voxels=made.chest((96, 96, 64), n))), {"nodule": 0.5})
    for limit in (1, 1, 5):  # the first call imports
        tracemalloc.start()
        said = call(
            "--lake", tmp_path / "lake", "--model", "tiny_classification@1.0.0", "--out", tmp_path / "out", "--limit", limit
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert said.exit_code == 0, said.output
    assert peaks[1] > size  # it does see the volume
    assert peaks[2] < peaks[1] + size
