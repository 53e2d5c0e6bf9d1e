"""A tree like BIDS 1.10: subjects, sessions, sidecars and tables of participants, so that programs for BIDS find their way.

BIDS has no place for CT, and none for an MR image of unknown weighting. These are put where they belong by their modality and named
in `.bidsignore`, as the standard has it for files of one's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.release.about import NOT_STATED
from tasks.release.export.cases import Case, short
from tasks.release.export.placing import Placer
from tasks.release.frozen import Frozen

#: DICOM's modality → BIDS data type and suffix.
_PLACES = {"CT": ("ct", "ct"), "MR": ("anat", "MR"), "PT": ("pet", "pet")}
_ELSE = ("other", "image")
_IGNORED = "**/ct/\n**/other/\n**/*_MR.nii.gz\n**/*_MR.json\n"
#: Facts of a volume → field of its sidecar; BIDS has seconds where DICOM has milliseconds.
_SIDECAR = {
    "Modality": "Modality", "BodyPartExamined": "BodyPart", "Manufacturer": "Manufacturer", "ManufacturerModelName": "ManufacturersModelName",
    "ConvolutionKernel": "ConvolutionKernel", "KVP": "KVP", "SliceThickness": "SliceThickness", "DiffusionBValue": "DiffusionBValue",
    "units": "Units", "StudyInstanceUID": "StudyInstanceUID", "SeriesInstanceUID": "SeriesInstanceUID", "lossy": "LossyImageCompression",
}  # fmt: skip
_MEANINGS = {
    "sex": {"Description": "Sex", "Levels": {"F": "female", "M": "male", "O": "other"}}, "race": {"Description": "Race, as the hospital says"},
    "ethnicity": {"Description": "Ethnicity, as the hospital says"}, "split": {"Description": "Split of the release; no person is in two"},
}  # fmt: skip


def export(frozen: Frozen, chosen: Sequence[Case], placer: Placer) -> None:
    """Write `sub-<patient>/ses-<study>/<type>/…_run-<n>_<suffix>.nii.gz` with a sidecar each, and the tables and descriptions.

    Runs count the volumes of a study and data type in the order of their names.
    """
    runs: dict[tuple[str, str], int] = defaultdict(int)
    participants: dict[str, dict[str, Any]] = {}
    sessions: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for case in chosen:
        subject, session = f"sub-{case.patient.removeprefix('SL-')}", f"ses-{short(case.study)}"
        kind, suffix = _PLACES.get(str(case.facts.get("Modality")), _ELSE)
        runs[case.study, kind] += 1
        stem = f"{subject}/{session}/{kind}/{subject}_{session}_run-{runs[case.study, kind]}_{suffix}"
        placer.image(case, f"{stem}.nii.gz")
        placer.write_json(f"{stem}.json", _sidecar(case))
        participants.setdefault(subject, {
            "participant_id": subject, **{name: case.facts.get(name) for name in ("sex", "race", "ethnicity")}, "split": case.split,
        })  # fmt: skip
        sessions[subject][session] = {
            "session_id": session, "age_band": case.facts.get("age_band"), "study_year": case.facts.get("study_year"), **case.findings,
        }  # fmt: skip
        placer.on_case()
    _describe(frozen, placer)
    placer.write("participants.tsv", _tsv([participants[subject] for subject in sorted(participants)]))
    placer.write_json("participants.json", _MEANINGS)
    for subject, found in sessions.items():
        placer.write(f"{subject}/{subject}_sessions.tsv", _tsv([found[session] for session in sorted(found)]))


def _describe(frozen: Frozen, placer: Placer) -> None:
    about = frozen.facts["about"]
    placer.write_json("dataset_description.json", {
        "Name": f"{about.get('title', frozen.name)} {frozen.version}", "BIDSVersion": "1.10.0", "DatasetType": "raw",
        "License": about.get("licence", NOT_STATED), "Authors": [about.get("creator", NOT_STATED)],
        "GeneratedBy": [{"Name": "Safelight", "Version": frozen.facts["code_version"]}],
    })  # fmt: skip
    placer.write(
        "README", f"Release {frozen.name} {frozen.version}, exported by Safelight. See the release's card.md.\n".encode()
    )
    placer.write(".bidsignore", _IGNORED.encode())


def _sidecar(case: Case) -> dict[str, Any]:
    said = {field: case.facts[name] for name, field in _SIDECAR.items() if name in case.facts}
    if "EchoTime" in case.facts:
        said["EchoTime"] = case.facts["EchoTime"] / 1000
    return said


def _tsv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A table as BIDS writes them: tabs, a header line, `n/a` for what is not known."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["\t".join(columns)]
    lines += ["\t".join("n/a" if row.get(name) is None else str(row[name]) for name in columns) for row in rows]
    return ("\n".join(lines) + "\n").encode()
