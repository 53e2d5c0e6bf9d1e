"""The lake's report is of the lake's results: made once, replaced when they change, and never of results that are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.errors import SafelightError
from tasks.evaluation import results as schema
from tasks.evaluation.results import Results
from tasks.lake import Lake
from tasks.report.model_card import model_card
from tasks.report.publishing.archive import Archive
from tasks.report.publishing.manifest import describe
from tasks.report.stage import publish_report
from tests.tasks.report.made import bare, realistic, tampered
from tests.tasks.report.made_faces import rendered


def put(lake: Lake, results: Results) -> None:
    assert lake.root is not None
    (lake.root / "results").mkdir(exist_ok=True)
    schema.write(results, lake.root / "results" / "results.json")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path)


def archive(lake: Lake) -> Archive:
    return Archive(lake, "reports/archive")


def latest_with_manifest(latest: dict[str, bytes]) -> dict[str, bytes]:
    files = {name.removeprefix("reports/"): face for name, face in latest.items()}
    results = Results.model_validate_json(files["results.json"])
    return files | {"manifest.json": describe(results, files).to_json()}


def test_without_results_there_is_no_report(lake: Lake) -> None:
    assert publish_report(lake) is None
    assert lake.files("") == []


def test_the_report_is_published_once_for_each_state_of_the_results(lake: Lake) -> None:
    put(lake, realistic())
    first = publish_report(lake)
    assert first is not None
    latest = {name: lake.read(name) for name in first.files}
    (archived,) = archive(lake).places()
    assert json.loads(latest.pop("reports/latest.json")) == {"path": f"archive/{archived.path}"}
    expected = rendered("realistic") | {"model-card.xml": model_card(realistic())}
    assert latest == {f"reports/{name}": face for name, face in expected.items()}
    assert archive(lake).report(archived) == latest_with_manifest(latest)
    assert lake.read("reports/results.json") == lake.read("results/results.json")
    assert publish_report(lake) is None
    put(lake, bare())
    second = publish_report(lake)
    assert second is not None
    assert second.digest != first.digest
    assert lake.read("reports/report.html") == rendered("bare")["report.html"]


def test_a_report_that_was_changed_or_lost_is_made_again(lake: Lake) -> None:
    put(lake, bare())
    publish_report(lake)
    assert lake.root is not None
    target = lake.root / "reports" / "report.html"
    target.write_bytes(target.read_bytes().replace(b"0.", b"1.", 1))
    assert publish_report(lake) is not None
    assert target.read_bytes() == rendered("bare")["report.html"]
    (lake.root / "reports" / "report.docx").unlink()
    assert publish_report(lake) is not None
    assert lake.exists("reports/report.docx")


def test_going_back_to_an_earlier_plan_brings_its_report_back(lake: Lake) -> None:
    other = bare().model_copy(update={"provenance": bare().provenance.model_copy(update={"plan_name": "other"})})
    for results in (realistic(), other, realistic()):
        put(lake, results)
        assert publish_report(lake) is not None
    assert lake.read("reports/report.html") == rendered("realistic")["report.html"]


def test_no_table_of_another_plan_stays_among_those_of_this_one(lake: Lake) -> None:
    other = bare().model_copy(update={"provenance": bare().provenance.model_copy(update={"plan_name": "other"})})
    for results in (realistic(), other):
        put(lake, results)
        publish_report(lake)
    latest = {path for path in lake.files("reports") if not path.startswith("reports/archive/")}
    assert latest == {"reports/latest.json", "reports/model-card.xml", *(f"reports/{name}" for name in rendered("bare"))}
    assert len(archive(lake).places()) == 2


def test_a_published_report_that_was_changed_stops_the_next_publication(lake: Lake) -> None:
    put(lake, bare())
    publish_report(lake)
    (place,) = archive(lake).places()
    lake.put({f"reports/archive/{place.path}/report.html": b"<p>forged</p>"})
    before = {path: lake.read(path) for path in lake.files("")}
    with pytest.raises(SafelightError, match="E-REPORT-EXISTS"):
        publish_report(lake)
    assert {path: lake.read(path) for path in lake.files("")} == before


def test_a_report_that_was_lost_from_the_archive_is_published_again(lake: Lake) -> None:
    put(lake, bare())
    publish_report(lake)
    before = {path: lake.read(path) for path in lake.files("reports/archive")}
    lake.clear("reports/archive", ())
    assert publish_report(lake) is not None
    assert {path: lake.read(path) for path in lake.files("reports/archive")} == before


def test_small_cells_that_are_not_suppressed_are_not_published(lake: Lake) -> None:
    source = bare()
    put(lake, source.model_copy(update={"minimum_cases": source.overall().patients + 1}))
    with pytest.raises(SafelightError, match=r"E-REPORT-MISMATCH.*too small to be shown"):
        publish_report(lake)
    assert lake.files("reports") == []


def test_results_that_contradict_themselves_change_nothing(lake: Lake) -> None:
    put(lake, realistic())
    publish_report(lake)
    before = {path: lake.read(path) for path in lake.files("") if not path.startswith("results/")}
    put(lake, tampered(sensitivity=0.5))
    with pytest.raises(SafelightError, match="E-REPORT-MISMATCH"):
        publish_report(lake)
    assert {path: lake.read(path) for path in lake.files("") if not path.startswith("results/")} == before


def test_results_of_another_shape_are_refused(lake: Lake) -> None:
    assert lake.root is not None
    (lake.root / "results").mkdir()
    (lake.root / "results" / "results.json").write_text('{"schema_name": "safelight-results-0"}', "utf-8")
    with pytest.raises(SafelightError, match="E-REPORT-INPUT"):
        publish_report(lake)
