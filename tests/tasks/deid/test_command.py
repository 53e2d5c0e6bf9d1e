"""`safelight deidentify` and `safelight import` as a person runs them: counts, exit codes, one sentence for an error, and no identifier."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from data_contracts import cohort, reference
from tasks.cli import app
from tasks.deid.study import StudyWork
from tasks.lake import Lake
from tasks.vault import Vault
from tests.privacy.scanner import Scanner
from tests.tasks.deid.making import PLANTED, STUDY, encoded, face, planted
from tests.tasks.deid.test_folder import OTHER_STUDY, put, slice_of

SCANNER = Scanner([*PLANTED, STUDY, OTHER_STUDY, "Erika^Mustermann", "mustermann.dcm"])
LABELS = "AccessionNumber,PatientName,finding,label\nACC8815522,Mustermann^Erika,nodule,1\n"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tasks.deid.command.seal", lambda errors: None)  # it would silence this process for good


@pytest.fixture
def run() -> Callable[[str], Result]:
    """Runs a command line below `safelight`; whatever it says is searched for identifiers."""

    def call(line: str) -> Result:
        ended = CliRunner().invoke(app, line.split())
        assert SCANNER.hits(ended.output) == set(), ended.output
        assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
        return ended

    return call


DEIDENTIFY = "deidentify ward --lake lake --vault vault --workers 1"
IMPORT = "import labels.csv --as reference --key AccessionNumber --vault vault --lake lake"


def tree(root: str = "lake") -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(Path(root).rglob("*")) if path.is_file()}


def test_a_ward_without_any_odd_file_ends_with_0(run: Callable[[str], Result]) -> None:
    put(Path("ward/mustermann.dcm"), planted())
    put(Path("ward/deep/er/2"), slice_of(2))
    ended = run(DEIDENTIFY)
    assert ended.exit_code == 0, ended.output
    assert ended.output == "files: 2 found: 2 linked\ndeidentify: studies 1 done · released 2 instance\n"
    assert len(list(Path("lake/dicom").rglob("*.dcm"))) == 2
    assert SCANNER.search(Path("lake")) == {}


def test_a_second_run_does_nothing(run: Callable[[str], Result]) -> None:
    put(Path("ward/1"), slice_of(1))
    run(DEIDENTIFY)
    before = tree()
    ended = run(DEIDENTIFY)
    assert ended.exit_code == 0
    assert "deidentify: studies nothing to do" in ended.output
    assert tree() == before


def test_worker_processes_come_to_the_same_end(run: Callable[[str], Result]) -> None:
    put(Path("ward/1"), planted())
    put(Path("ward/2"), slice_of(2, StudyInstanceUID=OTHER_STUDY))
    assert run(DEIDENTIFY).exit_code == 0
    one = tree()
    for path in sorted(Path("vault").rglob("*.db*")):
        path.unlink()
    assert run("deidentify ward --lake lake --vault vault --workers 2").exit_code == 0
    assert tree() == one


def test_what_is_quarantined_is_counted_and_ends_with_1(run: Callable[[str], Result]) -> None:
    put(Path("ward/1"), slice_of(1))
    put(Path("ward/2"), slice_of(2, BurnedInAnnotation="YES"))
    put(Path("ward/copy"), slice_of(1))
    put(Path("ward/other"), slice_of(1, PatientComments="other"))
    put(Path("ward/notes.txt"), b"seen for Mustermann")
    ended = run(DEIDENTIFY)
    assert ended.exit_code == 1
    files, counts, look = ended.output.splitlines()
    assert files == "files: 5 found: 1 conflict (E-DEID-CONFLICT), 1 duplicate, 2 linked, 1 rejected (E-DEID-NOT-DICOM)"
    for part in ("studies 1 done", "released 1 instance", "quarantined 1 instance (E-DEID-BURNED-IN)",
                 "conflict 1 file (E-DEID-CONFLICT)", "rejected 1 file (E-DEID-NOT-DICOM)"):  # fmt: skip
        assert part in counts
    assert look == f"Look here: {Path('vault/quarantine').absolute()}"


def test_a_study_that_fails_is_named_by_its_key_until_something_becomes_of_it(
    run: Callable[[str], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_arguments: object) -> None:
        raise ValueError("Mustermann^Erika")

    put(Path("ward/1"), slice_of(1))
    monkeypatch.setattr(StudyWork, "survey", explode)
    for _ in range(5):  # it is tried three times and then set aside
        ended = run(DEIDENTIFY)
        assert ended.exit_code == 1
        assert re.search(r"failed 2\.25\.\d+: E-STAGE-UNEXPECTED \(error id \S+\)", ended.output), ended.output
    assert len(list(Path("vault/errors").glob("2*.txt"))) == 3
    assert tree() == {}


def test_another_profile_makes_studies_due_again(run: Callable[[str], Result], bent: Callable[..., str]) -> None:
    for number in range(1, 11):
        put(Path(f"ward/{number}"), encoded(face(number)))
    assert "quarantined 10 instance (E-DEID-FACE-UNPROVEN)" in run(DEIDENTIFY).output
    ended = run(f"{DEIDENTIFY} --profile {bent(faces='keep')}")
    assert (ended.exit_code, "released 10 instance" in ended.output) == (0, True)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("deidentify nowhere --lake lake --vault vault", "E-DEID-SOURCE"), ("deidentify ward/1 --lake lake --vault vault", "E-DEID-SOURCE"),
        (f"{DEIDENTIFY} --profile strictest", "E-DEID-PROFILE"), ("deidentify ward --lake lake --vault ward/1/vault", "E-VAULT-UNWRITABLE"),
        ("deidentify ward --lake ward/1 --vault vault --workers 1", "E-LAKE-UNWRITABLE"),
    ],
)  # fmt: skip
def test_what_cannot_start_is_one_sentence_and_ends_with_2(line: str, code: str, run: Callable[[str], Result]) -> None:
    put(Path("ward/1"), slice_of(1))
    ended = run(line)
    assert ended.exit_code == 2
    assert ended.output.startswith(f"{code}: ")
    assert len(ended.output.splitlines()) == 1
    assert not Path("lake").exists()


def test_a_source_inside_a_zone_cannot_start(run: Callable[[str], Result]) -> None:
    put(Path("ward/1"), slice_of(1))
    run(DEIDENTIFY)
    before = tree()
    for source in ("lake/dicom", "vault/spool", "vault"):
        ended = run(f"deidentify {source} --lake lake --vault vault --workers 1")
        assert (ended.exit_code, "E-DEID-SOURCE" in ended.output) == (2, True)
    assert tree() == before


def test_a_vault_that_others_may_read_is_refused(run: Callable[[str], Result]) -> None:
    put(Path("ward/1"), slice_of(1))
    Vault.open("vault").root.chmod(0o755)
    ended = run(DEIDENTIFY)
    assert (ended.exit_code, "E-VAULT-EXPOSED" in ended.output) == (2, True)


def test_an_import_that_finds_all_ends_with_0(run: Callable[[str], Result]) -> None:
    put(Path("ward/1"), slice_of(1))
    run(DEIDENTIFY)
    Path("labels.csv").write_text(LABELS)
    Path("people.csv").write_text("PatientID,PatientName,sex,age_years\nMRN0047110,Mustermann^Erika,F,97\n")
    ended = run(IMPORT)
    assert (ended.exit_code, ended.output) == (0, "import reference: 1 rows: 1 matched · 1 studies\n")
    ended = run("import people.csv --as cohort --key PatientID --vault vault --lake lake")
    assert (ended.exit_code, ended.output) == (0, "import cohort: 1 rows: 1 matched · 1 studies\n")
    [label], [person] = (Lake.open("lake").table(contract).to_pylist() for contract in (reference.CONTRACT, cohort.CONTRACT))
    assert (label["label"], person["sex"], person["age_years"], person["age_band"]) == (1, "F", None, "90+")
    assert label["PatientID"] == person["PatientID"] == next(Path("lake/dicom").iterdir()).name
    assert SCANNER.search(Path("lake")) == {}


def test_an_import_with_rows_that_name_no_study_ends_with_1(run: Callable[[str], Result]) -> None:
    put(Path("ward/1"), slice_of(1))
    run(DEIDENTIFY)
    Path("labels.csv").write_text(f"{LABELS}ACC99,,nodule,0\nACC99,,nodule,1\nACC98,,nodule,1\n")
    ended = run(IMPORT)
    assert ended.exit_code == 1
    first, second = ended.output.splitlines()
    assert first == "import reference: 4 rows: 1 matched, 1 unmatched, 2 conflicting · 1 studies"
    assert second.startswith("Look here: 3 rows")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("import labels.csv --as truth --key AccessionNumber --vault vault --lake lake", "E-IMPORT-KIND"),
        ("import labels.csv --as cohort --key PatientName --vault vault --lake lake", "E-IMPORT-KEY"),
        ("import labels.csv --as cohort --key AccessionNumber --vault vault --lake lake", "E-IMPORT-COLUMN"),
        ("import labels.csv --as reference --key PatientID --vault vault --lake lake", "E-IMPORT-KEY"),
        ("import labels.xls --as reference --key PatientID --vault vault --lake lake", "E-IMPORT-FILE"),
        ("import none.csv --as reference --key PatientID --vault vault --lake lake", "E-IMPORT-FILE"),
        ("import labels.csv --as reference --key AccessionNumber --vault nowhere --lake lake", "E-VAULT-MISSING"),
    ],
)  # fmt: skip
def test_an_import_that_cannot_start_is_one_sentence_and_ends_with_2(line: str, code: str, run: Callable[[str], Result]) -> None:
    Vault.open("vault")
    Path("labels.csv").write_text(LABELS)
    Path("labels.xls").write_text(LABELS)
    ended = run(line)
    assert ended.exit_code == 2
    assert ended.output.startswith(f"{code}: ")
    assert len(ended.output.splitlines()) == 1
    assert not Path("nowhere").exists()


@pytest.mark.parametrize("command", ["deidentify", "import"])
def test_the_help_shows_an_example(command: str, run: Callable[[str], Result]) -> None:
    assert f"safelight {command} " in run(f"{command} --help").output
