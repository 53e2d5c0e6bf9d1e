"""The pages on de-identification and import are true: their examples run, and they name codes, categories, columns and tests as they are."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from data_contracts.cohort import AGE_BANDS, ETHNICITIES, RACES
from tasks.cli import app
from tasks.deid.importing import ImportSummary
from tasks.deid.rules import load
from tasks.deid.tables import KEYS, read
from tests.privacy.scanner import Scanner

ROOT = Path(__file__).parents[3]
DEIDENTIFY, IMPORT = ((ROOT / "docs" / name).read_text("utf-8") for name in ("deidentify.md", "import.md"))
#: The pages that the overview leads to, and the files of reasons that are about de-identification.
PARTS = {path.name: path.read_text("utf-8") for path in sorted((ROOT / "docs" / "deidentify").glob("*.md"))}
REASONS = ("deidentify", "burned_in", "faces", "structured", "recipes", "audit")


def block(page: str, language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    return str(found)


def declared(name: str) -> set[str]:
    return set(yaml.safe_load((ROOT / "configs" / "reasons" / f"{name}.yaml").read_text("utf-8")))


def run(page: str) -> str:
    """What the example of a page prints, run line by line in the present folder."""
    said = ""
    for line in block(page, "sh").splitlines():
        program, *arguments = shlex.split(line)
        assert program == "safelight"
        ended = CliRunner().invoke(app, arguments)
        assert ended.exit_code == 0, ended.output
        said += ended.output
    return said


@pytest.mark.filterwarnings("ignore:Arrow output on a DB-API result:UserWarning")  # DuckDB's advice to `tasks.query`, about speed
def test_the_examples_print_what_the_pages_say_and_leave_no_identifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tasks.deid.command.seal", lambda errors: None)  # it would silence this process for good
    assert run(DEIDENTIFY) == block(DEIDENTIFY, "text")
    assert run(IMPORT) == block(IMPORT, "text")
    planted = json.loads(Path("hospital/identifiers.json").read_text("utf-8"))
    scanner = Scanner(entry["value"] for entry in planted)
    assert scanner.search(Path("hospital/dicom/p0000"))
    assert scanner.search(Path("lake")) == {}


def codes_of(page: str) -> set[str]:
    return set(re.findall(r"E-(?:DEID|IMPORT|AUDIT|CERTIFICATE)-[A-Z]+(?:-[A-Z]+)*", page))


def test_every_code_is_on_its_page() -> None:
    codes = set().union(*map(declared, REASONS))
    assert codes_of(DEIDENTIFY) == {code for code in codes if code.startswith("E-DEID-")}
    assert set().union(codes_of(DEIDENTIFY), *map(codes_of, PARTS.values())) == codes
    assert codes_of(IMPORT) == declared("import")


def test_every_part_is_linked_from_the_overview_and_links_back() -> None:
    for name, page in PARTS.items():
        assert f"](deidentify/{name})" in DEIDENTIFY, name
        assert "](../deidentify.md" in page, name


def test_every_category_of_safe_harbor_names_tests_that_exist() -> None:
    rows = re.findall(r"^\| ([A-R]) \|.*\|(.*)\|$", DEIDENTIFY, re.MULTILINE)
    assert [letter for letter, _ in rows] == [chr(ord("A") + number) for number in range(18)]
    for letter, tests in rows:
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", tests)
        assert named, letter
        for file, name in named:
            assert f"\ndef {name}(" in (ROOT / "tests" / "tasks" / "deid" / file).read_text("utf-8"), (letter, file, name)


def test_every_file_that_the_pages_name_exists() -> None:
    for page in (DEIDENTIFY, IMPORT, *PARTS.values()):
        for name in re.findall(r"`((?:tests|configs)/[\w./]+)`|\]\((?:\.\./)?((?:configs|docs)/[\w./]+)\)", page):
            assert (ROOT / "".join(name)).exists(), name


def test_the_numbers_of_the_page_are_the_profiles() -> None:
    profile = load("safe_harbor")
    rows = (ROOT / "configs" / "standards" / f"{profile.edition}.csv").read_text("utf-8").splitlines()
    for said in (
        f"all {len(rows) - 1} rows", f"at most {profile.keep_text[0x00080070].most_digits} digits", f"and {profile.most_code_digits} digits",
        f"up to {profile.highest_age} years", f"more than {profile.longest_number_list} bytes", f"{profile.face_slices} slices",
    ):  # fmt: skip
        assert said in " ".join(DEIDENTIFY.split()), said


def test_the_page_lists_every_end_of_a_row() -> None:
    ends = re.findall(r"^\| (\w+)(?: \*)? \|", IMPORT.split("## What becomes of a row")[1].split("##")[0], re.MULTILINE)
    assert set(ends) - {"end"} == set(ImportSummary.__dataclass_fields__) - {"kind", "rows", "studies"}


def test_the_page_lists_the_words_that_are_allowed() -> None:
    for word in (*KEYS, *RACES, *ETHNICITIES, *AGE_BANDS):
        assert word in IMPORT, word
    dropped = re.search(r"^\| both \| (.*?) \| dropped", IMPORT, re.MULTILINE)
    assert dropped is not None
    names = dropped[1].split(", ")
    text = ",".join([*names, "finding", "label"]) + "\n" + ",".join(["x"] * len(names) + ["nodule", "1"]) + "\n"
    [entry] = read(text.encode(), ".csv", kind="reference", key="AccessionNumber")
    assert dict(entry.values) == {"finding": "nodule", "label": 1}
