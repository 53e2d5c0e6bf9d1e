"""C-MOVE of one study to our receiver, and once more for what did not come."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from tasks.pacs.association import Moved, Requestor
from tasks.pacs.moving.completeness import Listing, listing
from tasks.pacs.receiving.receiver import Intake, Receiver

#: UIDs in one IMAGE-level request: a list of UIDs is one value of at most 64 kB in Explicit VR.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What became of a study's retrieval: the PACS's listing of it, and the last C-MOVE status of each kind of request."""

    listing: Listing
    moved: Moved


def retrieve(requestor: Requestor, receiver: Receiver, intake: Intake) -> Retrieved:
    """Have a study sent, compare it with the PACS's list, and ask once more for what is missing, by series or by instance.

    Raises:
        SafelightError: E-PULL-DESTINATION-UNKNOWN, and as `Requestor.find`.
    """
    study = intake.study_instance_uid
    with receiver.expecting(intake):
        moved = _move(requestor, receiver, _identifier("STUDY", study))
        present = listing(requestor, study)
        for series, uids in present.missing(intake.received).items():
            if len(uids) == len(present.instances[series]):
                moved = _move(requestor, receiver, _identifier("SERIES", study, series))
                continue
            for start in range(0, len(uids), _AT_ONCE):
                moved = _move(requestor, receiver, _identifier("IMAGE", study, series, uids[start : start + _AT_ONCE]))
    return Retrieved(present, moved)


def _move(requestor: Requestor, receiver: Receiver, identifier: Dataset) -> Moved:
    moved = requestor.move(identifier, receiver.ae_title, lambda: receiver.requests)
    if moved.status is None:  # the PACS went away: what it had begun to send may still arrive
        receiver.settle()
    return moved


def _identifier(level: str, study: str, series: str = "", instances: tuple[str, ...] = ()) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    identifier.StudyInstanceUID = study
    if series:
        identifier.SeriesInstanceUID = series
    if instances:
        identifier.SOPInstanceUID = list(instances)
    return identifier
