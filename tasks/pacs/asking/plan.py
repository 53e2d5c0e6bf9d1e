"""The plan of a retrieval: what of the cohort each PACS has, what of it is pulled, and everything that is not, with its reason."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tasks.errors import SafelightError
from tasks.pacs.asking.cohort import Cohort
from tasks.pacs.asking.found import FoundStudy, StudyAnswer, event
from tasks.pacs.asking.inquiry import Inquiry
from tasks.pacs.asking.lists import ListRow, StudyList, ambiguous, read_list
from tasks.pacs.asking.selection import Selection, load_selection
from tasks.pacs.asking.series import SeriesInquiry
from tasks.pacs.association import Requestor
from tasks.pacs.book import Book
from tasks.pacs.settings import CohortSettings, PacsSettings
from tasks.pacs.uids import is_uid
from tasks.stage import digest

#: Reasons by which something that is wanted may be missing: a person has to look.
DOUBTFUL = frozenset({
    "E-PULL-FIND-CUT", "E-PULL-FIND-FAILED", "E-PULL-COHORT-UNKNOWN", "E-PULL-LIST-NOT-FOUND", "E-PULL-LIST-ISSUER",
    "E-PULL-LIST-AMBIGUOUS",
})  # fmt: skip
#: Reasons by which an answer of the PACS was not whole: the next plan asks for the same days again.
_INCOMPLETE = frozenset({"E-PULL-FIND-CUT", "E-PULL-FIND-FAILED"})


@dataclass
class Plan:
    """A plan over all PACSs of a configuration.

    `studies` holds those that are pulled, and with a `reason_code` those that cannot be, and what else went wrong. `left` counts
    studies that are not of the cohort, by PACS and word; `blind` counts windows by PACS (see `Windows`). `failed` gives the code of
    a PACS that could not be asked to the end. `unmatched` are rows of the list with the code that says why nothing is pulled.
    `reviewed` is the SHA-256 (hex) of the file of a plan that a person has gone through: then no PACS was asked.
    """

    sources: tuple[str, ...]
    cohort: str
    selection: Selection | None = None
    studies: list[FoundStudy] = field(default_factory=list)
    left: Counter[tuple[str, str]] = field(default_factory=Counter)
    blind: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    asked_at: dict[str, float] = field(default_factory=dict)
    wanted: StudyList | None = None
    unmatched: list[tuple[ListRow, str]] = field(default_factory=list)
    reviewed: str = ""

    @property
    def pulled(self) -> list[FoundStudy]:
        """The studies that are to be pulled."""
        return [study for study in self.studies if not study.reason_code]

    @property
    def is_closed(self) -> bool:
        """Whether a person has named the studies one by one: then nothing else is pulled with them."""
        return self.wanted is not None or bool(self.reviewed)

    @property
    def is_doubtful(self) -> bool:
        """Whether something that is wanted may be missing."""
        return bool(self.failed) or any(study.reason_code in DOUBTFUL for study in self.studies)


def make_plan(
    pacs: Sequence[PacsSettings], cohort: CohortSettings, *, book: Book | None = None, timezone: str = "UTC",
    now: datetime | None = None, advance: Callable[[], None] = lambda: None, away: Mapping[str, str] | None = None,
) -> Plan:  # fmt: skip
    """Ask every PACS. A study that several have belongs to the first of them that can be asked for it.

    Args:
        pacs: in the order of preference.
        cohort: what is wanted.
        book: knows when the last plan of this cohort was made; without it, nothing is new, and all of the cohort is asked for.
        timezone: of the site, for the day of the last plan.
        now: the present time; the clock's without it.
        advance: called with each study.
        away: PACSs that are not to be asked, with the reason code.

    Raises:
        ConfigurationError: E-PULL-DATES, E-PULL-SELECTION, as `read_list`; and what the only PACS failed with, or the first of
            several if all failed. A PACS that fails beside others is in `failed`.
    """
    moment = now or datetime.now(ZoneInfo(timezone))
    wanted = read_list(cohort.listed) if cohort.listed is not None else None
    selection = load_selection(cohort.selection)
    Cohort.of(cohort)  # for its errors, before anybody is asked
    plan = Plan(tuple(each.source for each in pacs), cohort_digest(cohort, selection), selection, wanted=wanted)
    errors: list[SafelightError] = []
    found: dict[str, FoundStudy] = {}
    meant: dict[int, set[tuple[str, str]]] = {}
    for each in pacs:
        plan.asked_at[each.source] = moment.timestamp()
        if away is not None and each.source in away:
            plan.failed[each.source] = away[each.source]
            continue
        since = None
        if book is not None and cohort.new_since_last_night and wanted is None:
            last = book.last_planned(each.source, plan.cohort)
            since = datetime.fromtimestamp(last, ZoneInfo(timezone)).date() - timedelta(cohort.overlap_days) if last else None
        asking = _Asking(plan, each, Cohort.of(cohort, since), found, meant, advance)
        try:
            with Requestor(each) as requestor:
                asking.all(Inquiry(requestor, each, moment.date()))
        except SafelightError as error:
            errors.append(error)
            plan.failed[each.source] = error.code
    if errors and len(errors) == len(pacs) - len(away or ()):
        raise errors[0]
    plan.studies = [*(found[uid] for uid in sorted(found)), *plan.studies]
    if wanted is not None:
        _hold_against_list(plan, wanted, meant)
    return plan


def cohort_digest(cohort: CohortSettings, selection: Selection | None) -> str:
    """What names a cohort in the ledger: all that decides what is in it, and no window of days that goes with the calendar."""
    settings = cohort.model_dump(mode="json", exclude={"new_since_last_night", "overlap_days", "selection", "listed"})
    content = hashlib.sha256(cohort.listed.read_bytes()).hexdigest() if cohort.listed is not None else ""
    return digest({**settings, "selection": selection.sha256 if selection is not None else "", "listed": content})


def refused(studies: Iterable[FoundStudy]) -> Counter[str]:
    """How many studies cannot be pulled, by reason code."""
    return Counter(study.reason_code for study in studies if study.reason_code)


def record(plan: Plan, book: Book) -> None:
    """Note the plan of each PACS, after its studies are in the ledger: the next one may begin where this one ended.

    What an incomplete plan did not see is asked for again: it leaves the time of the last complete one as it was.
    """
    for source in plan.sources:
        codes = refused(study for study in plan.studies if study.source == source)
        if source in plan.failed:
            codes[plan.failed[source]] += 1
        asked_at = plan.asked_at[source]
        if source in plan.failed or _INCOMPLETE & codes.keys():
            asked_at = book.last_planned(source, plan.cohort) or 0.0
        book.planned(source, plan.cohort, asked_at, codes)


@dataclass
class _Asking:
    """One PACS's part in a plan."""

    plan: Plan
    pacs: PacsSettings
    cohort: Cohort
    found: dict[str, FoundStudy]
    meant: dict[int, set[tuple[str, str]]]
    advance: Callable[[], None]

    def all(self, inquiry: Inquiry) -> None:
        """Ask, and enter into the plan whatever is answered before anything fails."""
        series = SeriesInquiry(inquiry, self.plan.selection, self.pacs.find_limit)
        try:
            for study, lines, unsure in self._studies(inquiry):
                known = self.found.get(study.study_instance_uid)
                if known is not None and not known.reason_code:
                    continue
                made = self._made(series, study, lines, unsure)
                if made is None:
                    continue
                if not is_uid(made.study_instance_uid):
                    self.plan.studies.append(made)
                elif known is None or not made.reason_code:
                    self.found[made.study_instance_uid] = made
                self.advance()
        finally:
            self.plan.studies += [event(self.pacs.source, "E-PULL-FIND-CUT")] * inquiry.doubts
            if inquiry.blind:
                self.plan.blind[self.pacs.source] = inquiry.blind

    def _studies(self, inquiry: Inquiry) -> Iterable[tuple[StudyAnswer, tuple[int, ...], bool]]:
        """Each study with the rows of the list that mean it, and whether its patient's issuer is missing for that."""
        if self.plan.wanted is None:
            yield from ((study, (), False) for study in inquiry.by_window(self.cohort.window))
            return
        keyword = self.plan.wanted.keyword
        studies: dict[str, StudyAnswer] = {}
        lines: dict[str, set[int]] = {}
        sure: set[str] = set()
        for row, study in inquiry.by_list(self.plan.wanted):
            accepted = row.accepts(keyword, study)
            if accepted is False:
                self.plan.left[self.pacs.source, "issuer of the PatientID"] += 1
                continue
            uid = study.study_instance_uid
            studies[uid] = study
            lines.setdefault(uid, set()).add(row.line)
            if accepted:
                sure.add(uid)
            self.meant.setdefault(row.line, set()).add((study.patient_id, study.issuer))
        yield from ((study, tuple(sorted(lines[uid])), uid not in sure) for uid, study in studies.items())

    def _made(self, series: SeriesInquiry, study: StudyAnswer, lines: tuple[int, ...], unsure: bool) -> FoundStudy | None:
        """The study as the plan has it, or None where it is not of the cohort."""
        source = self.pacs.source
        if not is_uid(study.study_instance_uid):
            return study.refused(source, "E-PULL-STUDY-UID", lines)
        out = self.cohort.study_is_out(study)
        if out:
            self.plan.left[source, out] += 1
            return None
        code = "E-PULL-LIST-ISSUER" if unsure else self.cohort.study_is_unclear(study)
        if code:
            return study.refused(source, code, lines)
        try:
            listed, code = series.of(study.study_instance_uid, study.instances)
        except SafelightError as error:
            if error.code != "E-PULL-FIND-FAILED":
                raise
            return study.refused(source, error.code, lines)
        if code:
            return study.refused(source, code, lines)
        out = self.cohort.series_are_out(listed)
        if out.startswith("E-"):
            return study.refused(source, out, lines)
        if out:
            self.plan.left[source, out] += 1
            return None
        chosen = {each.series_instance_uid: each.instances for each in listed if each.chosen}
        selected = self.plan.selection is not None
        code = "E-PULL-NOTHING-CHOSEN" if selected and not chosen else ""
        return replace(study.refused(source, code, lines), series=chosen, listed=listed, selected=selected)


def _hold_against_list(plan: Plan, wanted: StudyList, meant: Mapping[int, set[tuple[str, str]]]) -> None:
    """Refuse the studies of rows that stand for several patients, and count the rows that stand for nothing."""
    doubtful = {line for line, patients in meant.items() if ambiguous(wanted.keyword, patients)}
    plan.studies = [
        replace(study, reason_code="E-PULL-LIST-AMBIGUOUS", series={}, listed=())
        if study.lines and not study.reason_code and doubtful.issuperset(study.lines)
        else study
        for study in plan.studies
    ]
    source = plan.sources[0]
    for row in wanted.rows:
        if row.line not in meant:
            plan.unmatched.append((row, "E-PULL-LIST-NOT-FOUND"))
            plan.studies.append(event(source, "E-PULL-LIST-NOT-FOUND"))
        elif row.line in doubtful:
            plan.unmatched.append((row, "E-PULL-LIST-AMBIGUOUS"))
        elif all(row.line not in study.lines or study.reason_code == "E-PULL-LIST-ISSUER" for study in plan.studies):
            plan.unmatched.append((row, "E-PULL-LIST-ISSUER"))
