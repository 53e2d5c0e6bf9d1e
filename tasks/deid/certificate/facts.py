"""What a certificate says: collected once, as plain counts and digests. No value of the hospital's is among them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from data_contracts import deid_audit, deid_evidence
from tasks.deid.audit import findings
from tasks.deid.certificate.balance import Books, balance
from tasks.deid.edits import CLEAN_PIXELS
from tasks.deid.rules import load
from tasks.deid.stage import DeidentifyStage
from tasks.errors import ConfigurationError, catalogue
from tasks.lake import Lake, Manifest
from tasks.ledger import Ledger
from tasks.stage import digest
from tasks.vault import Vault

_RESIDUE = "E-DEID-RESIDUE"
#: The contract of the table of pixel evidence; a lake of an earlier version has none.
#: What every released image went through (PS3.16 CID 7050).
_CLEAN_PIXELS = (CLEAN_PIXELS, "Clean Pixel Data Option")
#: What a source of evidence tells of.
_LOOKED_FOR = {
    "text": "text in pixels", "catalogue": "text by device", "ultrasound": "text outside of regions", "declared": "text declared", "face": "faces",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Held:
    """Instances that were held back for one reason, with its meaning as `configs/reasons` has it."""

    code: str
    meaning: str
    instances: int


@dataclass(frozen=True, slots=True)
class Audited:
    """The last site audit of the profile; recall as text with its interval."""

    made: str
    recall: str
    planted: int
    leaked: int
    series: str
    by_place: Mapping[str, str]


@dataclass(frozen=True)
class Certificate:
    """One release.

    Attributes:
        release: SHA-256 over the digests of all manifests, see `release_digest`.
        released_at: when the last study was de-identified (UTC).
        counts: unit → end → how many; units are `studies`, `series` and `instances`.
        methods: (code, meaning) of PS3.16 CID 7050 that the objects state.
        actions: rule → action → how many elements of released objects.
        evidence: modality → what was counted → n; empty where the lake has no such table.
        findings: what does not balance; empty where all does.
        verified: whether every file was read again and compared with its manifest's SHA-256.
    """

    release: str
    manifests: int
    released_at: str
    profile: str
    profile_digest: str
    edition: str
    revision: int
    version: str
    methods: tuple[tuple[str, str], ...]
    patients: int
    counts: Mapping[str, Mapping[str, int]]
    held: tuple[Held, ...]
    searched: int
    residue: int
    actions: Mapping[str, Mapping[str, int]]
    evidence: Mapping[str, Mapping[str, int]]
    audit: Audited | None
    findings: tuple[str, ...]
    verified: bool

    def to_json(self) -> bytes:
        """The same facts for programs."""
        return (json.dumps(asdict(self), indent=1, sort_keys=True) + "\n").encode()


def collect(vault: Vault, lake: Lake, ledger: Ledger, stage: DeidentifyStage, *, verify: bool = False) -> Certificate:
    """The facts of the release that lies in the lake now.

    Raises:
        ConfigurationError: E-CERTIFICATE-NOTHING where no study was de-identified; E-DEID-PROFILE.
    """
    books = balance(vault, lake, ledger, stage, verify=verify)
    if not books.manifests:
        raise ConfigurationError("E-CERTIFICATE-NOTHING")
    profile, said = load(stage.profile), stage.configuration()
    return Certificate(
        release=release_digest(books.manifests),
        manifests=len(books.manifests),
        released_at=f"{datetime.fromtimestamp(books.latest, UTC):%Y-%m-%d %H:%M} UTC" if books.latest else "",
        profile=profile.name,
        profile_digest=str(said["content"]),
        edition=profile.edition,
        revision=stage.revision,
        version=version("safelight"),
        methods=(*profile.method_codes, _CLEAN_PIXELS),
        patients=len(books.patients),
        counts={"studies": dict(books.studies), "series": dict(books.series), "instances": dict(books.instances)},
        held=_held(books),
        searched=books.studies["released"] + books.studies["quarantined"],
        residue=_residue(books),
        actions=_actions(lake),
        evidence=_evidence(lake),
        audit=_audited(vault, str(said["content"]), stage.revision),
        findings=tuple(books.findings),
        verified=verify,
    )


def release_digest(manifests: Mapping[str, Manifest]) -> str:
    """SHA-256 (hex) over the JSON list of [study key, manifest digest], ordered by key: it changes with any byte of any file."""
    return digest([[key, manifests[key].digest] for key in sorted(manifests)])


def _held(books: Books) -> tuple[Held, ...]:
    known = catalogue()
    ordered = sorted(books.reasons.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Held(code, known[code].meaning if code in known else "", n) for code, n in ordered)


def _residue(books: Books) -> int:
    """Studies that the proof held back."""
    return sum(any(count.reason_code == _RESIDUE for count in manifest.tally) for manifest in books.manifests.values())


def _actions(lake: Lake) -> dict[str, dict[str, int]]:
    counted: dict[str, Counter[str]] = {}
    table = lake.table(deid_audit.CONTRACT, ["rule", "action", "n"])
    summed = table.group_by(["rule", "action"]).aggregate([("n", "sum")])
    for row in summed.to_pylist():
        counted.setdefault(row["rule"], Counter())[row["action"]] += row["n_sum"]
    return {rule: dict(sorted(actions.items())) for rule, actions in sorted(counted.items())}


def _evidence(lake: Lake) -> dict[str, dict[str, int]]:
    """The looks at pixels, by modality and what was looked for: how many, at how many frames, and how many places came of them."""
    names = ("looks", "frames", "boxes")
    table = lake.table(deid_evidence.CONTRACT, ["Modality", "source", *names])
    summed = table.group_by(["Modality", "source"]).aggregate([(name, "sum") for name in names])
    return {
        f"{row['Modality']}, {_LOOKED_FOR[row['source']]}": {
            "looks": int(row["looks_sum"]), "frames looked at": int(row["frames_sum"]), "places found": int(row["boxes_sum"]),
        }
        for row in sorted(summed.to_pylist(), key=lambda row: (row["Modality"], row["source"]))
    }  # fmt: skip


def _audited(vault: Vault, profile_digest: str, revision: int) -> Audited | None:
    found = findings.read(vault, profile_digest)
    if found is None or found.revision != revision:
        return None
    places = list(dict.fromkeys(row.place for row in found.rows))
    tight = found.tight()
    return Audited(
        made=found.made,
        recall=found.recall().said(),
        planted=found.recall().of,
        leaked=found.leaked,
        series=f"{tight.n} of {tight.of}",
        by_place={place: found.recall(place=place).said() for place in places},
    )
