"""The plan as a table in the vault that a person can review in a spreadsheet and give back, and which is read back exactly.

Every text of the hospital begins with an apostrophe in its cell. So no spreadsheet takes it for a formula (`=`, `+`, `-`, `@`) or a
number, and zeros and spaces stay; what is read back has lost one apostrophe. The column `check` is an HMAC-SHA256 of all that a
pull goes by, under the vault's key: a row of another vault, or one in which an identifier was changed, is refused.
"""

from __future__ import annotations

import csv
import hmac
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from tasks.errors import ConfigurationError
from tasks.pacs.asking.found import FoundSeries, FoundStudy
from tasks.pacs.asking.plan import Plan
from tasks.pacs.uids import is_uid
from tasks.vault import Vault, private_folder, write_private

COLUMNS = (
    "source", "PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyInstanceUID", "StudyDate", "StudyDescription",
    "SeriesInstanceUID", "Modality", "SeriesDescription", "BodyPartExamined", "instances", "chosen", "reason", "check",
)  # fmt: skip
#: What a person may change is not sealed, and what a pull does not go by neither.
_SEALED = ("source", "PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyInstanceUID", "SeriesInstanceUID", "instances")
_IDENTITY = ("source", "StudyInstanceUID", "PatientID", "IssuerOfPatientID", "AccessionNumber")
_OURS = {"instances", "chosen", "check"}
_CHECK_DIGITS = 24


def save_plan(plan: Plan, vault: Vault, now: datetime | None = None) -> Path:
    """Write `plans/<yyyymmdd-hhmmss>.csv` (UTC), one row a series, and beside it `…-unmatched.csv` with the rows of the list for
    which nothing is pulled. Both are private. Returns the plan's path.
    """
    folder = private_folder(vault.root / "plans")
    stamp = f"{now or datetime.now(UTC):%Y%m%d-%H%M%S}"
    path, n = folder / f"{stamp}.csv", 1
    while path.exists():
        n += 1
        path = folder / f"{stamp}-{n}.csv"
    write_private(path, _table(COLUMNS, _rows(plan.studies, vault.site_key())))
    if plan.wanted is not None and plan.unmatched:
        columns = ("line", plan.wanted.keyword, "IssuerOfPatientID", "reason")
        rows = ((str(row.line), _safe(row.value), _safe(row.issuer), code) for row, code in plan.unmatched)
        write_private(path.with_name(f"{path.stem}-unmatched.csv"), _table(columns, rows))
    return path


def read_plan(path: Path, vault: Vault, sources: Sequence[str]) -> Plan:
    """A plan that was saved here and perhaps reviewed: the studies and series that are in it, chosen as it says.

    Args:
        path: the file: comma, semicolon or tab between cells, UTF-8.
        vault: the vault that it was saved in.
        sources: the PACSs of the configuration.

    Raises:
        ConfigurationError: E-PULL-PLAN-FILE with the line, for the first row that is not as it was saved but for `chosen`.
    """
    key = vault.site_key()
    studies: dict[str, FoundStudy] = {}
    for line, row in _read(path):

        def wrong(what: str, line: int = line) -> ConfigurationError:
            return ConfigurationError("E-PULL-PLAN-FILE", f"{path.name}, line {line}: {what}")

        if not hmac.compare_digest(row["check"].strip().encode(), _seal(key, row).encode()):
            raise wrong("it is of another vault, or something other than `chosen` was changed")
        chosen = row["chosen"].strip().casefold()
        if chosen not in {"yes", "no"}:
            raise wrong("`chosen` is neither yes nor no")
        if row["source"] not in sources:
            raise wrong("its PACS is not in the configuration")
        if not is_uid(row["StudyInstanceUID"]) or not is_uid(row["SeriesInstanceUID"]):
            if chosen == "yes":
                raise wrong("what it stands for cannot be pulled")
            continue
        series = FoundSeries(
            row["SeriesInstanceUID"], row["Modality"], row["SeriesDescription"], row["BodyPartExamined"], int(row["instances"]),
            chosen == "yes",
        )  # fmt: skip
        source, uid, *identity = (row[name] for name in _IDENTITY)
        fresh = FoundStudy(
            source, uid, identity[0], identity[1], identity[2], {}, "", row["StudyDate"], row["StudyDescription"], selected=True
        )
        study = studies.setdefault(uid, fresh)
        if (study.source, study.patient_id, study.issuer, study.accession_number) != (source, *identity):
            raise wrong("the study stands in another row with other identifiers")
        if any(other.series_instance_uid == series.series_instance_uid for other in study.listed):
            raise wrong("the series stands in it twice")
        counts = {**study.series, series.series_instance_uid: series.instances} if series.chosen else study.series
        studies[uid] = replace(study, series=counts, listed=(*study.listed, series))
    nothing = "E-PULL-NOTHING-CHOSEN"
    made = [study if study.series else replace(study, reason_code=nothing) for study in studies.values()]
    return Plan((), "", studies=made, reviewed=sha256(path.read_bytes()).hexdigest())


def _rows(studies: Iterable[FoundStudy], key: bytes) -> Iterator[tuple[str, ...]]:
    nothing = (FoundSeries("", chosen=False),)
    for study in studies:
        for series in study.listed or nothing:
            refused = bool(study.reason_code) and study.reason_code != "E-PULL-NOTHING-CHOSEN"
            row = dict(zip(COLUMNS, (
                study.source, study.patient_id, study.issuer, study.accession_number, study.study_instance_uid, study.study_date,
                study.description, "" if refused else series.series_instance_uid, series.modality, series.description,
                series.body_part, str(series.instances), "yes" if series.chosen and not refused else "no",
                study.reason_code if refused else series.reason or study.reason_code, "",
            ), strict=True))  # fmt: skip
            row["check"] = _seal(key, row)
            yield tuple(value if name in _OURS else _safe(value) for name, value in row.items())


def _seal(key: bytes, row: dict[str, str]) -> str:
    sealed = "\0".join(["plan", *(row[name] for name in _SEALED)])
    # The letter in front keeps a spreadsheet from reading digits, or 12e34, as a number.
    return "k" + hmac.new(key, sealed.encode("utf-8", "surrogatepass"), sha256).hexdigest()[:_CHECK_DIGITS]


def _safe(value: str) -> str:
    return f"'{value}" if value else ""


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([cell.replace("\0", "") for cell in row] for row in rows)
    return ("\ufeff" + stream.getvalue()).encode("utf-8", "surrogatepass")  # the mark tells spreadsheets that it is UTF-8


def _read(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells by column of each row, without the apostrophes."""
    try:
        content = path.read_bytes().decode("utf-8-sig", "surrogatepass")
    except FileNotFoundError:
        raise ConfigurationError("E-PULL-PLAN-FILE", f"{path.name}: there is no such file") from None
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError("E-PULL-PLAN-FILE", f"{path.name}: it cannot be read as UTF-8") from None
    first = content.splitlines()[0] if content.strip() else ""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    line = 1
    try:
        for cells in reader:
            if line == 1:
                if tuple(cell.strip() for cell in cells) != COLUMNS:
                    raise ConfigurationError("E-PULL-PLAN-FILE", f"{path.name}, line 1: it has not the columns of a plan")
            elif any(cells):
                if len(cells) != len(COLUMNS):
                    raise ConfigurationError(
                        "E-PULL-PLAN-FILE", f"{path.name}, line {line}: it has {len(cells)} cells in place of {len(COLUMNS)}"
                    )
                pairs = zip(COLUMNS, cells, strict=True)
                yield line, {name: cell if name in _OURS else cell.removeprefix("'") for name, cell in pairs}
            line = reader.line_num + 1
    except csv.Error:
        raise ConfigurationError("E-PULL-PLAN-FILE", f"{path.name}, line {line}: a quotation mark is open") from None
    if line == 1:
        raise ConfigurationError("E-PULL-PLAN-FILE", f"{path.name}, line 1: it has not the columns of a plan")
