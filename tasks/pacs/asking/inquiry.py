"""One PACS's answers at STUDY level: by windows of days, or by the rows of a list, each study once."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import cast

from pydicom.dataset import Dataset

from tasks.errors import SafelightError
from tasks.pacs.asking.answers import number, states, study_identifier, text
from tasks.pacs.asking.found import StudyAnswer
from tasks.pacs.asking.lists import ListRow, StudyList, value_of
from tasks.pacs.asking.windows import Dated, Window, Windows
from tasks.pacs.association import Requestor
from tasks.pacs.manners.backoff import Backoff
from tasks.pacs.settings import PacsSettings
from tasks.pacs.uids import is_uid
from tasks.stage import digest

#: UIDs in one query (list of UID matching, PS3.4 C.2.2.2.2); fewer than the PACS may be asked for at once.
_UIDS = 40
#: So much of an identifier must be left for a query with wildcards in the place of all that is not ASCII.
_ENOUGH = 3


class Inquiry:
    """Asks one PACS. A request that is not answered is sent again as `pacs.manners` allows.

    Args:
        requestor: the association.
        pacs: whom it asks.
        today: splits open ranges of days.
    """

    def __init__(self, requestor: Requestor, pacs: PacsSettings, today: date) -> None:
        self._requestor = requestor
        self._pacs = pacs
        self._today = today
        self._backoff = Backoff(pacs.manners.backoff_s, pacs.manners.retries)
        #: As `Windows` counts them.
        self.doubts = 0
        self.blind = 0

    def find(self, identifier: Dataset) -> list[Dataset]:
        """C-FIND.

        Raises:
            SafelightError: as `Requestor.find`.
        """
        for delay in self._backoff.delays():
            try:
                return self._requestor.find(identifier)
            except SafelightError as error:
                if error.code != "E-PULL-NO-ANSWER":
                    raise
                time.sleep(delay)
        return self._requestor.find(identifier)

    def by_window(self, window: Window, keys: Mapping[str, str | list[str]] | None = None) -> list[StudyAnswer]:
        """All studies of a window that have `keys`, each once; adds to `doubts` and `blind`.

        Raises:
            SafelightError: E-PULL-FIND-FAILED, E-PULL-NO-ANSWER; ConfigurationError as `Requestor.echo`.
        """

        def ask(part: Window) -> dict[str, Dated]:
            days = {"StudyDate": part.study_date, "StudyTime": part.study_time}
            asked = {**(keys or {}), **{name: key for name, key in days.items() if key}}
            return dict(_by_key(self.find(study_identifier(asked))))

        windows = Windows(ask, self._pacs.find_limit, self._today)
        rows = cast("dict[str, StudyAnswer]", windows.all(window)).values()
        self.doubts += windows.doubts
        self.blind += windows.blind
        return _each_once(rows)

    def by_list(self, wanted: StudyList) -> Iterator[tuple[ListRow, StudyAnswer]]:
        """Each row of a list with each study that has its value; the issuer is not looked at here.

        What the PACS takes for a wildcard in a value, or overlooks, is no matter: a study counts if its own value is the row's.

        Raises:
            SafelightError: as `by_window`.
        """
        if wanted.keyword == "StudyInstanceUID":
            yield from self._by_uids(wanted.rows)
            return
        for row in wanted.rows:
            fitting: list[StudyAnswer] = []
            for key, is_sure in _keys(row.value):
                answers = self.by_window(Window(), {wanted.keyword: key}) if is_sure else self._once({wanted.keyword: key})
                fitting = [study for study in answers if value_of(wanted.keyword, study) == row.value]
                if fitting:
                    break
            yield from ((row, study) for study in fitting)

    def _by_uids(self, rows: Sequence[ListRow]) -> Iterator[tuple[ListRow, StudyAnswer]]:
        limit = self._pacs.find_limit
        size = _UIDS if limit == 0 else max(1, min(_UIDS, limit - 1))
        rest = list(rows)
        while rest:
            batch, rest = rest[:size], rest[size:]
            found = self._with_uids([row.value for row in batch])
            if len(batch) > 1:
                missing = [row.value for row in batch if row.value not in found]
                for uid in missing:
                    found |= self._with_uids([uid])
                if len(missing) == len(batch) and found:
                    size = 1  # this PACS takes one at a time
            yield from ((row, found[row.value]) for row in batch if row.value in found)

    def _with_uids(self, uids: list[str]) -> dict[str, StudyAnswer]:
        keys: dict[str, str | list[str]] = {"StudyInstanceUID": uids[0] if len(uids) == 1 else uids}
        return {study.study_instance_uid: study for study in self._once(keys) if study.study_instance_uid in uids}

    def _once(self, keys: Mapping[str, str | list[str]]) -> list[StudyAnswer]:
        """The answer to a query that some PACSs refuse: then it is empty. What it lacks is asked for otherwise, or counted."""
        try:
            return _each_once(_by_key(self.find(study_identifier(keys))).values())
        except SafelightError as error:
            if error.code != "E-PULL-FIND-FAILED":
                raise
            return []


def _keys(value: str) -> Iterator[tuple[str, bool]]:
    """How an identifier is asked for, one way after the other, and whether a PACS must understand it.

    As it is. With a space before it, which is padding (PS3.5 6.2) and yet is compared by some (Orthanc). With `*` in the place of what
    is not ASCII: a PACS may compare bytes, and have them in a set that we do not know. The answer is held against the value.
    """
    yield value, True
    yield f" {value}", False
    wild = re.sub(r"[^\x20-\x7e]+", "*", value)
    if wild != value and len(wild) - wild.count("*") >= _ENOUGH:
        yield wild, False


def _by_key(matches: Iterable[Dataset]) -> dict[str, StudyAnswer]:
    """Answers by UID. One that comes twice, or has no usable UID, counts as one more: a limit counts answers."""
    found: dict[str, StudyAnswer] = {}
    for match in matches:
        study = _study(match)
        uid = study.study_instance_uid
        key = (
            uid if is_uid(uid) else f"?{digest([uid, study.patient_id, study.accession_number, study.study_date, study.second])}"
        )
        n, base = 1, key
        while key in found:
            n += 1
            key = f"{base}#{n}"
        found[key] = study
    return found


def _each_once(rows: Iterable[StudyAnswer]) -> list[StudyAnswer]:
    """Studies that have a UID once each, with the modalities of all their answers; the others as they came."""
    named: dict[str, StudyAnswer] = {}
    nameless = []
    for study in rows:
        if not is_uid(study.study_instance_uid):
            nameless.append(study)
        elif study.study_instance_uid not in named:
            named[study.study_instance_uid] = study
        elif (study.modalities or frozenset()) - (named[study.study_instance_uid].modalities or frozenset()):
            named[study.study_instance_uid] = _joined(named[study.study_instance_uid], study)
    return [*named.values(), *nameless]


def _joined(one: StudyAnswer, other: StudyAnswer) -> StudyAnswer:
    return StudyAnswer(
        one.study_instance_uid, one.patient_id, one.issuer, one.accession_number, one.study_date, one.day, one.second,
        one.description, (one.modalities or frozenset()) | (other.modalities or frozenset()), one.instances,
    )  # fmt: skip


def _study(match: Dataset) -> StudyAnswer:
    study_date = text(match, "StudyDate")
    return StudyAnswer(
        text(match, "StudyInstanceUID"), text(match, "PatientID"), text(match, "IssuerOfPatientID"),
        text(match, "AccessionNumber"), study_date, day_of(study_date), second_of(text(match, "StudyTime")),
        text(match, "StudyDescription") if states(match, "StudyDescription") else None,
        frozenset(part.strip() for part in text(match, "ModalitiesInStudy").split("\\")) - {""} or None,
        number(match, "NumberOfStudyRelatedInstances"),
    )  # fmt: skip


def day_of(study_date: str) -> date | None:
    """A day as DA has it (PS3.5 6.2), or with the dots of ACR-NEMA that readers are asked to understand; else None."""
    plain = study_date.replace(".", "")
    if len(plain) != 8 or not (plain.isascii() and plain.isdigit()):
        return None
    try:
        return date(int(plain[:4]), int(plain[4:6]), int(plain[6:]))
    except ValueError:
        return None


def second_of(study_time: str) -> int | None:
    """The second of the day that TM states (PS3.5 6.2), HH, HHMM or HHMMSS with or without a fraction or colons; else None."""
    plain = study_time.replace(":", "").partition(".")[0]
    if len(plain) not in {2, 4, 6} or not (plain.isascii() and plain.isdigit()):
        return None
    hours, minutes, seconds = (int(plain[at : at + 2] or 0) for at in (0, 2, 4))
    return hours * 3600 + minutes * 60 + min(seconds, 59) if hours < 24 and minutes < 60 and seconds <= 60 else None
