"""One series under trial: copies with markers go through the stage in a scratch vault, and what it does to each marker is noted.

A series gives one copy a place (header, private, text, pixels), each a study of its own, so that what holds one back holds back no other; and one
copy without markers, which says whether the series would have been released at all.
"""

from __future__ import annotations

import dataclasses
import json
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from pydicom import config as pydicom_config
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid

from tasks.deid.audit import burning
from tasks.deid.audit.hiding import PLACES, Place, Plant, hide
from tasks.deid.audit.markers import Mint
from tasks.deid.stage import DeidentifyStage
from tasks.errors import SafelightError
from tasks.guard import ErrorLog, guarded
from tasks.lake import Lake
from tasks.pseudonyms import Pseudonyms
from tasks.vault import Vault, private_folder, write_private

#: removed: it was released without the marker. held: nothing of the copy was released. leaked: the marker is in what was released.
End = Literal["removed", "held", "leaked"]
_RESIDUE = "E-DEID-RESIDUE"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one marker.

    Attributes:
        by: the reason code under which its copy was held back; empty where it was released.
        missed: the rules left it, and the proof held it back, or it leaked.
    """

    place: Place
    kind: str
    tag: str
    end: End
    by: str
    missed: bool

    @property
    def judges_rules(self) -> bool:
        """Whether it says anything about the rules: a copy that is held back for another reason than the proof never came that far."""
        return self.end != "held" or self.by == _RESIDUE


@dataclass(frozen=True)
class Trial:
    """What came of one series. `plain` is the reason code of the copy without markers, empty where it was released.

    `untried` are the places in which nothing could be hidden: no native pixels, or a data set that cannot be written again.
    """

    verdicts: tuple[Verdict, ...]
    plain: str
    untried: tuple[Place, ...]


@dataclass
class Bench:
    """Where copies are tried: a vault, a lake and a stage that nobody else uses."""

    vault: Vault
    lake: Lake
    stage: DeidentifyStage
    errors: ErrorLog
    _copies: int = field(default=0)

    @classmethod
    def set_up(cls, folder: Path, stage: DeidentifyStage, errors: ErrorLog) -> Bench:
        """A bench in `folder` (private, empty) for copies of a stage that works on it. The stage's own floor does not hold here."""
        vault, lake = Vault.open(private_folder(folder / "vault")), Lake.open(private_folder(folder / "lake"))
        changed: dict[str, Any] = {"vault": vault, "lake": lake}
        if "audit_floor" in {each.name for each in dataclasses.fields(stage)}:
            changed["audit_floor"] = None  # it would ask for the very audit that is being made
        return cls(vault, lake, dataclasses.replace(stage, **changed), errors)

    def try_series(self, original: Path, seed: str) -> Trial:
        """Try one instance of a series in every place.

        Args:
            original: a file of the spool. It is read, never changed.
            seed: of the markers and their places.
        """
        content = original.read_bytes()
        verdicts: list[Verdict] = []
        untried: list[Place] = []
        with _lenient():
            plain = self._run(_encoded(self._copy(content)))
            for place in PLACES:
                judged = list(self._try_place(content, place, seed))
                verdicts += judged
                if not judged:
                    untried.append(place)
        return Trial(tuple(verdicts), plain.held, tuple(untried))

    def _try_place(self, content: bytes, place: Place, seed: str) -> Iterator[Verdict]:
        """Try a copy; where the proof names markers, count those and try again without them.

        Otherwise one marker that the proof knows would hold back the copy, and hide that the others in it were left.
        """
        skip: frozenset[str] = frozenset()
        while (made := self._planted(content, place, seed, skip)) is not None:
            copy, plants, burned = made
            ended = self._run(_encoded(copy))
            named = ended.residue & {plant.tag for plant in plants} - {"raw"} if ended.held == _RESIDUE else frozenset()
            if not named:
                yield from self._judge(copy, plants, burned, ended)
                return
            for plant in plants:
                if plant.tag in named:
                    yield Verdict(place, plant.marker.kind, plant.tag, "held", ended.held, missed=True)
            skip |= named

    def _planted(
        self, content: bytes, place: Place, seed: str, skip: frozenset[str]
    ) -> tuple[FileDataset, list[Plant], list[burning.Burned]] | None:
        dice = random.Random(f"{seed} {place}")  # noqa: S311 - markers that can be made again, no secret
        try:
            copy, mint = self._copy(content), Mint(dice)
            burned: list[burning.Burned] = []
            if place == "pixels":
                burned = burning.burn(copy, mint, dice) if burning.can_burn(copy) else []
                plants = [Plant(place, "(7FE0,0010)", each.marker) for each in burned]
            else:
                plants = hide(place, copy, mint, dice, skip)
                written = _view(_encoded(copy), copy)
                plants = [plant for plant in plants if plant.marker.is_in(written)]  # what did not get into the file is no test
        except (MemoryError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - odd originals that cannot be written again are counted as untried; the detail stays in the vault
            self.errors.record(f"audit {place}", error)
            return None
        return (copy, plants, burned) if plants else None

    def _copy(self, content: bytes) -> FileDataset:
        """A copy with UIDs of its own, so that no two are the same study or instance."""
        copy: FileDataset = dcmread(BytesIO(content))
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(copy, keyword, generate_uid(prefix="1.3.6.1.4.1.99999."))
        copy.file_meta.MediaStorageSOPInstanceUID = copy.SOPInstanceUID
        return copy

    def _run(self, content: bytes) -> _Ended:
        """De-identify one copy as a study of its own, and take it away again."""
        header = dcmread(BytesIO(content), stop_before_pixels=True)
        pseudonyms = Pseudonyms(self.vault.site_key())
        study, series, instance = (
            pseudonyms.uid(str(header[name].value)) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
        )
        self._copies += 1
        path = private_folder(self.vault.spool / study / series) / f"{instance}.dcm"
        write_private(path, content)
        outcome = guarded("audit", f"copy {self._copies}", self.errors, lambda: self.stage.run(study, "", f"copy {self._copies}"))
        released = [(name, self.lake.read(name)) for name in self.lake.files("dicom")]
        listed = self.vault.quarantine / study / "quarantine.json"
        said: dict[str, Any] = json.loads(listed.read_text("utf-8")) if listed.exists() else {}
        reasons = set(said.get("instances", {}).values())
        held = "" if released else outcome.reason_code or min(reasons, default="E-STAGE-UNEXPECTED")
        self.stage.withdraw(study)
        path.unlink()
        if self.lake.files("dicom"):
            raise SafelightError("E-STAGE-UNEXPECTED", "a copy of the audit could not be taken back")
        return _Ended(released, held, frozenset(said.get("residue", ())))

    def _judge(self, copy: FileDataset, plants: list[Plant], burned: list[burning.Burned], ended: _Ended) -> Iterator[Verdict]:
        views = [f"{name}\n{_view(content)}" for name, content in ended.released]
        images = [dcmread(BytesIO(content)) for _, content in ended.released] if burned else []
        for number, plant in enumerate(plants):
            in_pixels = bool(burned) and any(burning.is_left(burned[number], image, copy) for image in images)
            end: End = "held" if ended.held else ("leaked" if in_pixels or any(map(plant.marker.is_in, views)) else "removed")
            # `raw` means that the proof cannot tell the place: then every marker of the copy counts as missed.
            found = ended.held == _RESIDUE and "raw" in ended.residue
            yield Verdict(plant.place, plant.marker.kind, plant.tag, end, ended.held, end == "leaked" or found)


@dataclass(frozen=True)
class _Ended:
    released: list[tuple[str, bytes]] = field(repr=False)
    held: str
    residue: frozenset[str]


def _encoded(copy: FileDataset) -> bytes:
    buffer = BytesIO()
    copy.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _view(content: bytes, copy: FileDataset | None = None) -> str:
    """All of a file but its pixel data as text: bytes as Latin-1, and once more without zeros, where UTF-16 becomes readable.

    It knows nothing of how a header is written, so a marker is found wherever it stands.
    """
    dataset = copy if copy is not None else dcmread(BytesIO(content))
    pixels = dataset.get_item(0x7FE00010).value if 0x7FE00010 in dataset else b""
    raw = (content.replace(bytes(pixels), b"", 1) if pixels else content).decode("latin-1")
    return f"{raw}\n{raw.replace(chr(0), '')}"


@contextmanager
def _lenient() -> Iterator[None]:
    """Read and write what other systems wrote without complaint: pydicom's warnings hold values."""
    with warnings.catch_warnings(), pydicom_config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield
