"""One study on its way out of the vault, in passes: everything is known of it before anything is written, and proven before anything is released.

1. `survey`: each header is read; the study's identifiers are collected, also from what is held back; the header's evidence is judged.
2. `judge`: what only whole series and the whole study can tell: patients, faces, text in the pixels.
3. `draft`: the instances that are left are rewritten, into the vault, and what was written is searched for the study's identifiers.
4. `prove`: one finding holds the whole study back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tasks.deid import dates, documents, drafts, pixel_data
from tasks.deid.edits import Edits
from tasks.deid.header import Audit, Rewriter
from tasks.deid.identifiers import Identifiers
from tasks.deid.imaging import CAPTURES, PLANAR, Findings, Image, Imaging
from tasks.deid.pixels import compressed_comments
from tasks.deid.residue import Residue
from tasks.deid.rules import Profile
from tasks.deid.uids import Uids
from tasks.deid.values import Values
from tasks.deid.verdicts import Verdicts
from tasks.deid.words import standard
from tasks.dicom import instances
from tasks.dicom.instances import Instance, Source
from tasks.dicom.stretches import Stretches
from tasks.errors import SafelightError
from tasks.forcing import Forcing
from tasks.guard import ErrorLog
from tasks.pseudonyms import Pseudonyms

_FRAME_OF_REFERENCE, _MODALITY, _FEATURES = 0x00200052, 0x00080060, 0x00280302
_STUDY_UID, _SERIES_UID, _INSTANCE_UID, _CLASS_UID = 0x0020000D, 0x0020000E, 0x00080018, 0x00080016
#: Headers of a study are kept from the survey to the draft up to so many bytes; others are read again for each look and for the draft.
_MOST_KEPT = 1 << 26
#: Drafts that are forced to disk side by side, while the next ones are made.
_FORCED_AT_ONCE = 4
_PATIENT_ID, _ISSUER = 0x00100020, 0x00100021


@dataclass(frozen=True)
class Surveyed:
    """An original that may be released as far as its own header tells. `image` is None for reports and presentation states; the source is
    the header itself, or the file, where all headers together are too long to be kept."""

    source: Source = field(repr=False)
    version: tuple[int, int, int]
    lake_path: str
    image: Image | None


@dataclass(frozen=True)
class Draft:
    """A rewritten instance that waits in the vault."""

    file: Path
    lake_path: str
    sha256: str


@dataclass(frozen=True)
class _Tools:
    """What all drafts of a study are made with."""

    rewriter: Rewriter
    search: Residue
    forcing: Forcing


@dataclass
class StudyWork:
    """What is known of a study while it is de-identified.

    Attributes:
        ends: instance (`<series key>/<instance key>`) → reason code, empty while it may be released.
        residue: where identifiers were found in drafts: tags.
        found: what the pixels showed.
    """

    profile: Profile
    pseudonyms: Pseudonyms
    study_key: str
    errors: ErrorLog
    literals: Mapping[int, str] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    residue: set[str] = field(default_factory=set)
    drafts: dict[str, Draft] = field(default_factory=dict)
    audit: Audit = field(default_factory=Audit)
    found: Findings = field(default_factory=Findings)
    _surveyed: dict[str, Surveyed] = field(default_factory=dict)
    _patients: set[str] = field(default_factory=set)
    _taken: set[str] = field(default_factory=set)
    _kept: int = 0

    def __post_init__(self) -> None:
        self._stretches = Stretches()
        self._identifiers = Identifiers(self.profile)
        self._verdicts = Verdicts(self.profile)
        self._uids = Uids(self.profile, self.pseudonyms)

    @property
    def patient_key(self) -> str:
        """The lake's PatientID of the study's one patient; empty where there is none or more than one."""
        return next(iter(self._patients)) if len(self._patients) == 1 else ""

    def survey(self, path: Path) -> None:
        """Read one original, or note why it is not released."""
        instance = f"{path.parent.name}/{path.stem}"
        self.ends[instance] = self._guarded(instance, partial(self._survey, instance, path))

    def judge(self) -> None:
        """Hold back what only its series and study can tell: several patients, faces, text that cannot be blanked."""
        if len(self._patients) > 1:
            for instance in list(self._surveyed):
                self._hold(instance, "E-DEID-MIXED-PATIENTS")
        images = {instance: each.image for instance, each in self._surveyed.items() if each.image is not None}
        self.found = Imaging(self.profile, self._verdicts.faces).judge(images)
        for instance, code in self.found.codes.items():
            self._hold(instance, code)

    def draft(self, folder: Path) -> None:
        """Rewrite what may be released into `folder`, and search what was written for the study's identifiers."""
        if not self._surveyed:
            return
        shift = dates.shift_of(self.pseudonyms.number("shift of dates", self.patient_key))
        forbidden, words, names = self._identifiers.forbidden(), standard(), self._identifiers.names
        values = Values(
            self.profile,
            self._uids,
            clean=lambda text: words.clean(text, forbidden),
            patient_key=self.patient_key,
            is_name=lambda word: len(word) > 1 and word.lower() in names,
            shift_days=shift,
            literals=self.literals,
        )
        rewriter, search = Rewriter(self.profile, values), Residue(self._identifiers)
        with Forcing(_FORCED_AT_ONCE) as forcing:
            for number, (instance, surveyed) in enumerate(list(self._surveyed.items())):
                tools = _Tools(rewriter, search, forcing)
                code = self._guarded(instance, partial(self._draft, instance, surveyed, folder / f"{number}.dcm", tools))
                if code:
                    self._hold(instance, code)
        self.audit = rewriter.finish()

    def prove(self) -> None:
        """Hold all drafts back where one of them had an identifier of the study."""
        if self.residue:
            self.audit = Audit()
            for instance in list(self.drafts):
                del self.drafts[instance]
                self._hold(instance, "E-DEID-RESIDUE")

    # ---- one instance -----------------------------------------------------------------------------------------------

    def _guarded(self, instance: str, work: Callable[[], str]) -> str:
        """What the work answers, or the code under which the instance is held back."""
        try:
            return work()
        except SafelightError as refused:
            return refused.code
        except (MemoryError, OSError):  # the machine's fault, not the file's: the study is tried again
            raise
        except Exception as error:  # noqa: BLE001 - one odd file must not hold back a study; the detail stays in the vault
            self.errors.record(f"deidentify {self.study_key} {instance}", error)
            return "E-DEID-FAILED"

    def _survey(self, name: str, path: Path) -> str:
        instance = instances.read(path, self._stretches)
        self._identifiers.collect(instance)
        own = [instance.text(tag) for tag in (_STUDY_UID, _SERIES_UID, _INSTANCE_UID)]
        odd = any("\\" in uid or self.profile.is_well_known(uid) for uid in own)
        if not all(own) or not instance.text(_CLASS_UID) or odd:
            return "E-DEID-NO-UID"  # a registered UID is nobody's own
        if self.pseudonyms.study(own[0]) != self.study_key:
            return "E-DEID-WRONG-STUDY"
        patient_key = self._patient(instance)
        kind = self._kind(instance)
        if not kind:
            return "E-DEID-SOP-CLASS"
        code = self._refusal(instance, kind)
        if code or not patient_key:
            return code or "E-DEID-NO-PATIENT-ID"
        lake_path = f"dicom/{patient_key}/{self.study_key}/{self._uids(own[1])}/{self._uids(own[2])}.dcm"
        if lake_path in self._taken:
            return "E-DEID-CONFLICT"
        self._taken.add(lake_path)
        kept = instance.trimmed()
        self._kept += len(kept.data)
        source = kept if self._kept < _MOST_KEPT else path
        image = self._image(source, path.parent.name, instance) if kind == "image" else None
        self._surveyed[name] = Surveyed(source, instance.version, lake_path, image)
        return ""

    def _refusal(self, instance: Instance, kind: str) -> str:
        if kind != "image":
            return "E-DEID-PIXELS-UNPROVEN" if instance.pixels else ""
        if not instance.pixels:
            return "E-DEID-NO-PIXELS"
        if self.profile.faces != "keep" and instance.text(_CLASS_UID) in CAPTURES and self._verdicts.names_head(instance):
            return "E-DEID-FACE-UNPROVEN"  # a capture may be a photograph, or a face that was rendered
        return self._verdicts.refusal(instance)

    def _image(self, source: Source, series: str, instance: Instance) -> Image:
        planar = instance.text(_CLASS_UID) in PLANAR
        if not planar:
            self._verdicts.see(series, instance)
        reference = instance.text(_FRAME_OF_REFERENCE) or series
        declared = instance.text(_FEATURES).upper() == "YES"
        uid = self._uids(instance.text(_SERIES_UID))
        return Image(source, series, uid, reference, instance.text(_MODALITY), declared, planar)

    def _kind(self, instance: Instance) -> str:
        """What kind of object the profile says that an instance is; empty where it does not allow its SOP class."""
        known = self.profile.sop_classes.get(instance.text(_CLASS_UID))
        return known.kind if known is not None else ""

    def _patient(self, instance: Instance) -> str:
        """The patient's key, noted among the study's patients; empty where the instance names no patient."""
        patient_id = instance.text(_PATIENT_ID)
        if not patient_id:
            return ""
        key = self.pseudonyms.patient(instance.text(_ISSUER), patient_id)
        self._patients.add(key)
        return key

    def _draft(self, name: str, surveyed: Surveyed, file: Path, tools: _Tools) -> str:
        rewriter, search = tools.rewriter, tools.search
        instance = instances.read(surveyed.source)
        if instance.version != surveyed.version or instance.changed():
            return "E-DEID-CHANGED"
        if self._kind(instance) != "image":
            instance, done = documents.cleaned(instance, self.profile, rewriter.values.clean)
            rewriter.audit.update(done)
        edits = Edits(instance, self.found.boxes.get(name), self.found.faces.get(name))
        edits.prepare()
        header = rewriter.rewrite(instance, methods=edits.methods, stated=edits.stated)
        sha256 = drafts.write(file, header, edits.pixels(), tools.forcing)
        comments = compressed_comments(instance.whole()) if instance.encapsulated else b""
        slipped = pixel_data.copied(instance) if not instance.encapsulated and instances.has_surplus(instance) else ()
        if instance.path != Path() and instance.changed():
            rewriter.undo()
            return "E-DEID-CHANGED"  # what was looked at may not be what was copied
        self.residue |= search.find(header, comments) | search.find_raw(slipped)
        self.drafts[name] = Draft(file, surveyed.lake_path, sha256)
        return ""

    def _hold(self, instance: str, code: str) -> None:
        self.ends[instance] = code
        self._surveyed.pop(instance, None)


__all__ = ["Draft", "StudyWork", "Surveyed"]
