"""`safelight gallery` on lakes: pictures that were published or made anew, lists, releases, and what it says when it cannot."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lxml import html
from typer import Typer
from typer.testing import CliRunner, Result

from data_contracts.release_members import CONTRACT as RELEASE_MEMBERS
from data_contracts.volumes import CONTRACT
from tasks.errors import ConfigurationError
from tasks.gallery.command import gallery
from tasks.gallery.members import rows as read_rows
from tasks.gallery.members import since
from tasks.gallery.pictures import pictures
from tasks.gallery.stage import publish_gallery
from tasks.lake import Lake
from tests.tasks.gallery import made
from tests.tasks.volumes.classes import CLASSES
from tests.tasks.volumes.phantom import run

APP = Typer()
APP.command()(gallery)


@pytest.fixture(autouse=True)
def _private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("tasks.gallery.command.seal", lambda errors: None)  # it would silence this process for good


def call(*arguments: object) -> Result:
    return CliRunner().invoke(APP, [str(argument) for argument in arguments])


def cards(page: Path) -> list[html.HtmlElement]:
    return html.fromstring(page.read_text("utf-8")).xpath("//ul[@id='cards']/li")


def filled(folder: Path, count: int = 24) -> tuple[Lake, list[dict[str, Any]]]:
    """A lake with published pictures and no volumes."""
    lake, shown = Lake.open(folder), made.rows(count)
    of_study: dict[str, list[dict[str, Any]]] = {}
    for row in shown:
        of_study.setdefault(row["StudyInstanceUID"], []).append(row)
    for study, members in of_study.items():
        with lake.publication("volumes", study, "f") as publication:
            publication.write_table(CONTRACT, members)
            for row in members:
                if row["preview_path"]:
                    publication.write(row["preview_path"], made.picture(row))
            publication.commit()
    return lake, shown


def test_all_of_a_lake_is_on_the_page(tmp_path: Path) -> None:
    _, shown = filled(tmp_path / "lake")
    done = call("--lake", tmp_path / "lake", "--out", tmp_path / "pages" / "gallery.html")
    assert done.exit_code == 0, done.output
    assert "gallery: 22 volumes and images, 2 quarantined; " in done.output
    found = cards(tmp_path / "pages" / "gallery.html")
    assert {card.get("data-series") for card in found} == {row["SeriesInstanceUID"] for row in shown}
    link = next(card.xpath(".//a/@href")[0] for card in found if card.xpath(".//a"))
    assert (tmp_path / "pages" / link).resolve().is_relative_to((tmp_path / "lake" / "volumes").resolve())


@pytest.mark.parametrize(
    "name",
    ["sagittal", "one slice", "gantry tilt", "times", "PET with a slope a slice", "DX with ImagerPixelSpacing, MONOCHROME1",
     "ultrasound in colour", "XA cine", "CR"],
)  # fmt: skip
def test_a_picture_that_is_made_of_the_file_is_the_one_that_was_published(name: str, tmp_path: Path) -> None:
    ran = run(tmp_path, CLASSES[name].make(), CLASSES[name].settings)
    assert ran.lake.root is not None
    published = pictures(ran.lake, ran.rows)
    assert len(published) == sum(row["path"] is not None for row in ran.rows) > 0
    for row in ran.rows:
        assert published[row["SeriesInstanceUID"], row["volume_index"]] == ran.lake.read(row["preview_path"])
        (ran.lake.root / row["preview_path"]).unlink()
    assert pictures(ran.lake, ran.rows) == published


def test_a_volume_that_is_gone_or_damaged_has_a_card_that_says_so(tmp_path: Path) -> None:
    ran = run(tmp_path, CLASSES["two echoes"].make())
    root = ran.lake.root
    assert root is not None
    for row in ran.rows:
        (root / row["preview_path"]).unlink()
    (root / ran.rows[0]["path"]).unlink()
    whole = (root / ran.rows[1]["path"]).read_bytes()
    (root / ran.rows[1]["path"]).write_bytes(whole[: len(whole) // 2])
    done = call("--lake", root, "--out", tmp_path / "g.html")
    assert done.exit_code == 1
    assert "2 volumes and images, 0 quarantined, 2 without a picture" in done.output
    assert all("No picture" in card.text_content() for card in cards(tmp_path / "g.html"))


def test_a_file_of_another_size_than_its_row_is_not_read(tmp_path: Path) -> None:
    ran = run(tmp_path, CLASSES["sagittal"].make())
    (row,) = ran.rows
    assert ran.lake.root is not None
    (ran.lake.root / row["preview_path"]).unlink()
    assert pictures(ran.lake, [row])
    assert not pictures(ran.lake, [row | {"n_slices": row["n_slices"] + 1}])
    whole = bytearray(gzip.decompress((ran.lake.root / row["path"]).read_bytes()))
    whole[42:48] = b"\xff\x7f" * 3  # 32,767 voxels along each axis
    (ran.lake.root / row["path"]).write_bytes(gzip.compress(bytes(whole)))
    done = call("--lake", ran.lake.root, "--out", tmp_path / "g.html")
    assert (done.exit_code, "1 without a picture" in done.output) == (1, True)


def test_a_night_is_what_was_published_since(tmp_path: Path) -> None:
    _, shown = filled(tmp_path / "lake")
    studies = sorted({row["StudyInstanceUID"] for row in shown})
    evening = datetime(2026, 11, 25, 18).timestamp()
    for place, study in enumerate(studies):
        moment = evening - 1 if place else evening
        os.utime(tmp_path / "lake" / "manifests" / "volumes" / f"{study}.json", (moment, moment))
    done = call("--lake", tmp_path / "lake", "--since", "2026-11-25T18:00:00", "--out", tmp_path / "g.html")
    assert done.exit_code == 0, done.output
    assert {card.get("data-study") for card in cards(tmp_path / "g.html")} == {studies[0]}


def test_an_object_store_tells_no_times() -> None:
    with pytest.raises(ConfigurationError, match="E-GALLERY-SINCE"):
        since(Lake("s3://bucket/lake"), datetime(2026, 11, 25))


@pytest.mark.parametrize("form", ["plain", "csv", "parquet"])
def test_a_list_of_studies_chooses(form: str, tmp_path: Path) -> None:
    _, shown = filled(tmp_path / "lake")
    wanted = sorted({row["StudyInstanceUID"] for row in shown})[:2]
    file = tmp_path / f"studies.{form}"
    if form == "parquet":
        pq.write_table(pa.table({"StudyInstanceUID": wanted}), file)
    else:
        lines = wanted if form == "plain" else ["n,StudyInstanceUID", *(f'1,"{key}"' for key in wanted)]
        file.write_text("\n".join(lines) + "\n", "utf-8")
    done = call("--lake", tmp_path / "lake", "--studies", file, "--out", tmp_path / "g.html")
    assert done.exit_code == 0, done.output
    assert {card.get("data-study") for card in cards(tmp_path / "g.html")} == set(wanted)


def test_a_release_shows_its_members_with_their_splits(tmp_path: Path) -> None:
    lake, shown = filled(tmp_path / "lake")
    first = sorted({row["StudyInstanceUID"] for row in shown})[:2]
    keys = ("StudyInstanceUID", "PatientID", "SeriesInstanceUID", "volume_index", "path", "sha256")
    for version, wanted in (("1.9.0", first[:1]), ("1.10.0", first)):
        rows = [
            {name: row[name] for name in keys}
            | {"release": "one", "version": version, "included": row["StudyInstanceUID"] in wanted}
            | {"reason_code": "" if row["StudyInstanceUID"] in wanted else row["reason_code"] or "E-LEFT-OUT"}
            | {"split": ("train", "test")[first.index(row["StudyInstanceUID"])] if row["StudyInstanceUID"] in wanted else None}
            for row in shown
        ]
        with lake.publication("release", f"one/{version}", "f") as publication:
            publication.write_table(RELEASE_MEMBERS, rows, part=f"one-{version}")
            publication.commit()
    for name, wanted in (("one", first), ("one/1.9.0", first[:1])):
        done = call("--lake", tmp_path / "lake", "--release", name, "--out", tmp_path / "g.html")
        assert done.exit_code == 0, done.output
        found = {card.get("data-series"): card.get("data-split") for card in cards(tmp_path / "g.html")}
        members = [row for row in shown if row["StudyInstanceUID"] in wanted]
        assert found == {row["SeriesInstanceUID"]: ("train", "test")[first.index(row["StudyInstanceUID"])] for row in members}
        counted = Counter(row["reason_code"] or "E-LEFT-OUT" for row in shown if row["StudyInstanceUID"] not in wanted)
        table = html.fromstring((tmp_path / "g.html").read_text("utf-8")).xpath("//section[@class='left-out']//tbody/tr")
        assert {line[0].text_content(): int(line[2].text_content()) for line in table} == counted
        assert all(line[1].text_content() for line in table)
    missing = call("--lake", tmp_path / "lake", "--release", "two", "--out", tmp_path / "h.html")
    assert (missing.exit_code, "E-GALLERY-RELEASE" in missing.output) == (2, True)
    assert not (tmp_path / "h.html").exists()


def test_a_part_of_an_earlier_version_is_read_too(tmp_path: Path) -> None:
    lake, shown = filled(tmp_path / "lake")
    part = next((tmp_path / "lake" / "tables" / "volumes").glob("*.parquet"))
    table = pq.read_table(part)
    pq.write_table(
        table.drop_columns(["preview_path", "kind", "is_sheared"]).append_column("old", pa.nulls(table.num_rows)), part
    )
    assert len(read_rows(lake)) == len(shown)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--lake", "nowhere"], "E-GALLERY-EMPTY"), (["--lake", "lake", "--studies", "nothing.csv"], "E-GALLERY-STUDIES"),
     (["--lake", "lake", "--studies", "other.csv"], "E-GALLERY-EMPTY"), (["--lake", "lake", "--release", "x"], "E-GALLERY-RELEASE"),
     (["--lake", "lake", "--since", "2100-01-01"], "E-GALLERY-EMPTY"),
     (["--lake", "lake", "--since", "2026-11-25", "--studies", "other.csv"], "E-GALLERY-CHOICE"),
     (["--lake", "lake", "--out", "lake"], "E-GALLERY-OUTPUT")],
)  # fmt: skip
def test_what_cannot_be_shown_is_said_in_one_sentence(
    arguments: list[str], code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    filled(tmp_path / "lake", 3)
    (tmp_path / "nothing.csv").write_text("StudyInstanceUID\n1.2.3\n", "utf-8")
    (tmp_path / "other.csv").write_text("2.25.1\n", "utf-8")
    done = call(*arguments)
    assert done.exit_code == 2
    assert code in done.output
    assert not (tmp_path / "nowhere").exists()


def test_the_gallery_is_published_once_for_each_state_of_the_lake(tmp_path: Path) -> None:
    lake, shown = filled(tmp_path / "lake")
    first = publish_gallery(lake)
    assert first is not None
    assert list(first.files) == ["reports/gallery.html"]
    page = tmp_path / "lake" / "reports" / "gallery.html"
    path = next(row["preview_path"] for row in shown if row["preview_path"])
    link = next(href for href in html.fromstring(page.read_text("utf-8")).xpath("//li//a/@href"))
    assert (page.parent / link).resolve().is_relative_to((tmp_path / "lake" / "volumes").resolve())
    assert publish_gallery(lake) is None
    (tmp_path / "lake" / path).write_bytes(made.picture(shown[11]))
    assert publish_gallery(lake) is not None
    one = shown[0]["StudyInstanceUID"]
    assert publish_gallery(lake, {one}) is not None
    assert {card.get("data-study") for card in cards(page)} == {one}
