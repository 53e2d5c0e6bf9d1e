"""The sections on who was in the data, how soon results came and what was read wrongly: what they say, and what they do not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tasks.cli import app
from tasks.errors import SafelightError
from tasks.evaluation import results as schema
from tasks.evaluation.results import Results
from tasks.lake import Lake
from tasks.report.blocks import Document, Figure, Paragraph, Section, Table
from tasks.report.checks import check_document
from tasks.report.document import SECTIONS
from tasks.report.material import Material
from tasks.report.numbers import Number, Numbers, Said
from tasks.report.pictures import picture
from tasks.report.stage import publish_report
from tasks.report.subject import Subject
from tests.tasks.report import made
from tests.tasks.report.made_faces import document


def png(level: int) -> bytes:
    out = BytesIO()
    pixels = np.full((40, 60), level, np.uint8)
    pixels[:20] = 255
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@cache
def pictured() -> tuple[Results, dict[str, bytes]]:
    """Two of the failures have an image."""
    results, images, rows = made.everything(), {}, []
    for place, row in enumerate(results.failures):
        path = f"results/failures/{row.study}.png"
        if place < 2:
            images[path] = png(40 * place)
            said = {"image": path, "alternative": f"Key image number {place}.", "no_image": ""}
        rows.append(row.model_copy(update=said if place < 2 else {}))
    return results.model_copy(update={"failures": tuple(rows)}), images


def section(results: Results, name: str, images: dict[str, bytes] | None = None) -> Section:
    found = SECTIONS[name](Subject(results, Numbers(results), Material(images or {})))
    assert isinstance(found, Section)
    return found


def tables(found: Section) -> list[Table]:
    return [block for block in found.blocks if isinstance(block, Table)]


def words(row: tuple[Said, ...]) -> list[str]:
    return [str(cell) for cell in row]


def test_the_baseline_is_crossed_with_the_reference_standard_and_has_margins() -> None:
    results = made.everything()
    crossed, differences = tables(section(results, "baseline"))
    overall = results.overall()
    assert words(crossed.rows[0]) == ["All cases", *map(str, (overall.patients, overall.studies)), "100.0\u202f%", str(overall.positives),
                                      str(overall.negatives), f"{100 * overall.positives / overall.studies:.1f}\u202f%"]  # fmt: skip
    for row, level in zip(crossed.rows[1:], results.baseline, strict=True):
        assert words(row)[4:6] == [str(level.positives), str(level.studies - level.positives)]
    assert [words(row)[0] for row in differences.rows] == ["sex", "slice thickness", "site"]
    found = {(row.attribute, row.comparison): row.difference for row in results.standardized_differences}
    assert words(differences.rows[0])[1:] == [f"{found['sex', 'finding']:.3f}", f"{found['sex', 'excluded']:.3f}"]


def test_a_withheld_service_level_shows_no_number() -> None:
    for table in tables(section(made.everything(), "time")):
        rows = {str(row[0]): words(row)[1:] for row in table.rows}
        assert set(rows["within 240 min"]) == set(rows["by 07:00"]) == {"withheld"}
        assert "withheld" not in rows["within 15 min"]


@pytest.mark.parametrize("name", ["time", "failures"])
def test_without_a_table_or_a_wish_the_section_is_left_out_and_named(name: str) -> None:
    whole = document("realistic")
    assert name not in [each.name for each in whole.sections]
    left = tables(next(each for each in whole.sections if each.name == "left_out"))[0]
    assert {"time": "Time to result", "failures": "Studies that were read wrongly"}[name] in [str(row[0]) for row in left.rows]


def test_each_failure_is_in_the_list_and_those_with_an_image_have_a_figure() -> None:
    results, images = pictured()
    found = section(results, "failures", images)
    said = {str(row[0]): words(row)[1:] for table in tables(found) for row in table.rows}
    assert set(said) == {row.study for row in results.failures}
    assert [said[row.study][:2] for row in results.failures] == [
        [f"{row.score:.3f}", f"{row.distance:.3f}"] for row in results.failures
    ]
    assert [said[row.study][2] for row in results.failures][:3] == ["below", "below", "none: no lake was evaluated"]
    figures = [block for block in found.blocks if isinstance(block, Figure)]
    assert [figure.alternative for figure in figures] == ["Key image number 0.", "Key image number 1."]
    with Image.open(BytesIO(figures[1].png)) as drawn:
        assert sorted(np.unique(np.asarray(drawn.convert("L")))) == [40, 255]


def test_an_image_that_is_not_there_or_is_damaged_is_said_to_be() -> None:
    results, images = pictured()
    first, second = images
    found = section(results, "failures", {first: b"no image", second: images[second][:60]})
    assert not [block for block in found.blocks if isinstance(block, Figure)]
    cells = [words(row)[3] for row in tables(found)[0].rows]
    assert cells[:2] == ["none: the file in the lake is damaged"] * 2
    assert words(tables(section(results, "failures"))[0].rows[0])[3] == "in the lake; this report was made without it"


def test_the_same_picture_gives_the_same_bytes() -> None:
    assert picture(png(7), "a", "MARK") == picture(png(7), "a", "MARK") != picture(png(8), "a", "MARK")


def test_the_lake_publishes_the_images_in_the_report_and_makes_it_again_when_one_changes(tmp_path: Path) -> None:
    results, images = pictured()
    lake = Lake.open(tmp_path)
    for path, content in images.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    schema.write(results, tmp_path / "results" / "results.json")
    assert publish_report(lake) is not None
    first = lake.read("reports/report.html")
    assert first.count(b'alt="Key image number') == 2
    assert publish_report(lake) is None
    (tmp_path / next(iter(images))).write_bytes(png(90))
    assert publish_report(lake) is not None
    assert lake.read("reports/report.html") != first


def test_results_cannot_name_other_files_of_the_lake(tmp_path: Path) -> None:
    results, images = pictured()
    lake = Lake.open(tmp_path)
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "secret.png").write_bytes(png(1))
    first = results.failures[0].model_copy(update={"image": "tables/secret.png"})
    schema.write(results.model_copy(update={"failures": (first, *results.failures[1:])}), tmp_path / "results.json")
    done = CliRunner().invoke(app, ["report", str(tmp_path / "results.json"), "--out", str(tmp_path / "out"), "--lake", lake.url])
    assert done.exit_code == 0, done.output
    assert "2 key images are left out: this lake does not have them" in done.output
    assert images


# ---- the document against the results ---------------------------------------------------------------------------------------


def with_number(text: str, at: str, form: str = "sum") -> Document:
    right = document("realistic")
    first = right.sections[0]
    wrong = Section(first.name, first.title, (*first.blocks, Paragraph(Number(text, form, (at,)))))
    return replace(right, sections=(wrong, *right.sections[1:]))


def test_a_number_of_the_document_that_results_do_not_have_refuses_it() -> None:
    results = made.realistic()
    studies = str(results.overall().studies)
    check_document(with_number(studies, "/performance/0/studies"), results)
    for text, at, said in (
        (str(int(studies) + 1), "/performance/0/studies", rf"/performance/0/studies says {studies}"),
        (studies, "/performance/0/patients", "says"),
        (studies, "/performance/999/studies", "leads nowhere"),
        (studies, "/performance/0/nothing", "leads nowhere"),
        (studies, "/title", "leads nowhere"),
    ):
        with pytest.raises(SafelightError, match=f"E-REPORT-MISMATCH.*section summary.*{said}"):
            check_document(with_number(text, at), results)


def test_a_document_of_other_results_is_refused() -> None:
    with pytest.raises(SafelightError, match=r"E-REPORT-MISMATCH.*section"):
        check_document(document("bare"), made.realistic())
