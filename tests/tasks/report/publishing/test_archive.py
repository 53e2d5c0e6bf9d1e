"""An archive only grows: the same report is there once, another one beside it, nothing half-written counts, and no process loses another's."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from tasks.errors import ConfigurationError, SafelightError
from tasks.evaluation.results import Results, canonical
from tasks.lake import Lake
from tasks.report.publishing import index as index_module
from tasks.report.publishing.archive import Archive, Place
from tasks.report.publishing.entries import Index
from tasks.report.publishing.index import DATA, PAGE, refresh
from tasks.report.publishing.manifest import MANIFEST, RESULTS
from tests.tasks.report.made import bare, realistic
from tests.tasks.report.publishing.made_folders import rehashed, whole

YEAR = 2031


def small(number: int, plan: str = "test") -> dict[str, bytes]:
    """A report whose faces are short: what is tested here does not look into them."""
    source = bare()
    results = source.model_copy(
        update={
            "title": f"Evaluation {number}",
            "provenance": source.provenance.model_copy(update={"plan_name": plan, "model_version": f"{number}.0"}),
        }
    )
    return rehashed({RESULTS: canonical(results), "report.html": f"<p>{number}</p>".encode()}, results)


@pytest.fixture(params=["folder", "object store"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    """By a path, files are moved into place; by a URL they are written as to an object store."""
    where = tmp_path / "archive"
    where.mkdir()
    return Archive.open(str(where) if request.param == "folder" else where.as_uri())


def tree(archive: Archive) -> dict[str, bytes]:
    return {path: archive.lake.read(path) for path in archive.lake.files("")}


def test_the_same_report_is_there_once_and_its_second_publication_changes_nothing(archive: Archive) -> None:
    place, new = archive.publish(small(1), YEAR)
    assert new
    assert place.path == f"test/2031/0001-{place.digest}"
    refresh(archive)
    before = tree(archive)
    assert archive.publish(small(1), YEAR) == (place, False)
    assert archive.publish(small(1), YEAR + 1) == (place, False), "also in another year"
    refresh(archive)
    assert tree(archive) == before


def test_another_report_gets_the_next_number_over_all_plans(archive: Archive) -> None:
    paths = [archive.publish(small(n, plan), YEAR)[0] for n, plan in ((1, "a"), (2, "b"), (3, "a"))]
    assert [(place.number, place.plan) for place in paths] == [(1, "a"), (2, "b"), (3, "a")]
    assert archive.places() == paths


def test_another_content_under_a_name_that_is_there_is_refused_and_nothing_is_overwritten(archive: Archive) -> None:
    place, _ = archive.publish(small(1), YEAR)
    archive.put({f"{place.path}/report.html": b"<p>forged</p>"})
    before = tree(archive)
    with pytest.raises(SafelightError, match="E-REPORT-EXISTS"):
        archive.publish(small(1), YEAR)
    assert tree(archive) == before


def test_what_was_begun_and_not_ended_is_no_report_and_is_ended_by_the_next(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = small(1)
    archive.publish(small(2), YEAR)
    unfinished = Place(2, archive_digest(files), "test", YEAR)
    archive.put({f"{unfinished.path}/report.html": files["report.html"]})
    assert len(archive.places()) == 1
    assert len(refresh(archive).reports) == 1
    assert archive.publish(files, YEAR) == (unfinished, True)
    assert archive.report(unfinished) == files


def archive_digest(files: dict[str, bytes]) -> str:
    from tasks.report.publishing.manifest import Manifest

    return Manifest.model_validate_json(files[MANIFEST]).digest[:16]


def test_the_manifest_is_written_last(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    place = Lake._place if archive.lake.root is not None else Lake._write

    def note(self: Lake, what: object, *rest: object) -> None:
        written.extend(what if isinstance(what, dict) else [str(what)])
        place(self, what, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Lake, "_place" if archive.lake.root is not None else "_write", note)
    archive.publish(small(1), YEAR)
    assert written[-1].endswith(f"/{MANIFEST}")
    assert len(written) == 3


@pytest.mark.parametrize("plan", ["../outside", ".hidden", "a/b", ""])
def test_a_plan_whose_name_is_no_folder_is_refused(plan: str, archive: Archive) -> None:
    with pytest.raises(ConfigurationError, match="E-REPORT-NAME"):
        archive.publish(small(1, plan), YEAR)
    assert tree(archive) == {}


def test_a_damaged_report_is_listed_without_any_number(archive: Archive) -> None:
    place, _ = archive.publish(small(1), YEAR)
    content = archive.read(f"{place.path}/{RESULTS}")
    assert content is not None
    archive.put({f"{place.path}/{RESULTS}": content.replace(b"Evaluation 1", b"Evaluation 9")})
    archive.publish(small(2), YEAR)
    first, second = refresh(archive).reports
    assert (first.problem, first.endpoints, first.patients) == ("E-REPORT-DAMAGED", {}, None)
    assert second.problem == ""
    assert b"Evaluation 9" not in (archive.read(PAGE) or b"")
    assert b"E-REPORT-DAMAGED" in (archive.read(PAGE) or b"")


def test_a_manifest_that_fits_other_results_does_not_fit_the_folders_name(archive: Archive) -> None:
    place, _ = archive.publish(small(1), YEAR)
    archive.put({f"{place.path}/{path}": content for path, content in small(9).items()})
    (entry,) = refresh(archive).reports
    assert entry.problem == "E-REPORT-DAMAGED"


def test_the_index_says_what_the_results_say(archive: Archive) -> None:
    place, _ = archive.publish(whole(), YEAR)
    refresh(archive)
    (entry,) = Index.model_validate_json(archive.read(DATA) or b"").reports
    overall = realistic().overall()
    assert (entry.path, entry.number, entry.year, entry.synthetic) == (place.path, 1, YEAR, True)
    assert (entry.patients, entry.studies, entry.positives) == (overall.patients, overall.studies, overall.positives)
    for name in ("auc", "sensitivity", "specificity"):
        value = getattr(overall, name)
        assert (entry.endpoints[name].estimate, entry.endpoints[name].lower, entry.endpoints[name].upper) == (
            value.estimate, value.lower, value.upper,
        )  # fmt: skip
    assert set(entry.files) == set(whole()) - {MANIFEST}


def test_a_report_that_comes_while_the_index_is_written_is_in_it(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.publish(small(1), YEAR)
    made, late = index_module.made, [small(2)]

    def slow(*arguments: object) -> Index:
        index = made(*arguments)  # type: ignore[arg-type]
        if late:
            archive.publish(late.pop(), YEAR)
        return index

    monkeypatch.setattr(index_module, "made", slow)
    assert len(refresh(archive).reports) == 2
    assert len(Index.model_validate_json(archive.read(DATA) or b"").reports) == 2


def test_an_index_that_never_catches_up_is_said(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(1, 1000))
    places = Archive.places
    monkeypatch.setattr(index_module, "_ROUNDS", 3)
    monkeypatch.setattr(Archive, "places", lambda self: (self.publish(small(next(numbers)), YEAR), places(self))[1])
    with pytest.raises(SafelightError, match="E-REPORT-BUSY"):
        refresh(archive)


def _publish(url: str, numbers: list[int]) -> None:
    archive = Archive.open(url)
    for number in numbers:
        archive.publish(small(number), YEAR)
        refresh(archive)


def test_processes_that_publish_at_once_lose_nothing(archive: Archive) -> None:
    spawn = multiprocessing.get_context("fork")
    shares = [[1, 2], [3, 4], [5, 1]]
    processes = [spawn.Process(target=_publish, args=(archive.lake.url, share)) for share in shares]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * len(shares)
    reports = Index.model_validate_json(archive.read(DATA) or b"").reports
    assert sorted(entry.title for entry in reports) == sorted(f"Evaluation {number}" for number in range(1, 6))
    assert [(entry.number, entry.digest) for entry in reports] == sorted((entry.number, entry.digest) for entry in reports)
    assert archive.read(PAGE) == index_module.files(Index(reports=reports))[PAGE]
    assert not [path for path in archive.lake.files("") if ".scratch" in path]


def test_a_process_that_is_killed_leaves_an_archive_that_goes_on(tmp_path: Path) -> None:
    archive = Archive.open(str(tmp_path))
    process = multiprocessing.get_context("fork").Process(target=_publish, args=(str(tmp_path), list(range(1, 200))))
    process.start()
    deadline = time.monotonic() + 60
    while len(archive.places()) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    published = archive.places()
    assert published
    for place in published:
        assert archive.report(place) == small(place.number)
    archive.publish(small(500), YEAR)
    assert len(refresh(archive).reports) == len(published) + 1


def test_the_results_of_another_version_are_listed_as_such(archive: Archive) -> None:
    results = Results.model_validate_json(small(1)[RESULTS])
    content = canonical(results).replace(b'"safelight-results-1"', b'"safelight-results-0"')
    archive.publish(rehashed({RESULTS: content}, results), YEAR)
    assert [entry.problem for entry in refresh(archive).reports] == ["E-REPORT-INPUT"]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="E-REPORT-DESTINATION"):
        Archive.open(str(tmp_path / "file" / "archive"))
