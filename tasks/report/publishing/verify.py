"""Whether a report's folder is whole, its results hold against themselves, and every face says what they say.

Hashes alone prove little, for whoever changes a face can change the manifest, too. So every face is made once more from `results.json`, by
what is installed here, and has to be the same, byte for byte; where it is not, both are read, and the places that differ are named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice

from pydantic import ValidationError

from tasks.errors import ConfigurationError, SafelightError, catalogue
from tasks.evaluation.results import Results
from tasks.report.material import within
from tasks.report.publishing.archive import Archive
from tasks.report.publishing.manifest import MANIFEST, RESULTS, Manifest, describe
from tasks.report.publishing.reading import differences, read
from tasks.report.render import files as made_again

#: Of the places in which a face differs, so many are named.
_NAMED = 5
_LONG = 120
_PACKED = (".docx", ".xlsx", ".pdf", ".png")


@dataclass(frozen=True, slots=True)
class Held:
    """One thing that was held against another."""

    what: str
    ok: bool
    said: str


def verify(files: Mapping[str, bytes]) -> list[Held]:
    """Everything that was held, in order; it never stops at what is wrong.

    Args:
        files: path → content of everything in the folder.

    Raises:
        ConfigurationError: E-REPORT-FOLDER where there is no manifest of ours.
    """
    manifest = manifest_of(files)
    held = list(_whole(files, manifest))
    content = files.get(RESULTS)
    if content is None:
        return held
    try:
        results = Results.model_validate_json(content)
        expected = made_again(results, content, within(files))
    except ValidationError:
        return [*held, _bad(RESULTS, "E-REPORT-INPUT", "no document can be held against it")]
    except SafelightError as error:
        return [*held, Held(RESULTS, ok=False, said=f"{error}")]
    held.append(Held(RESULTS, ok=True, said="every number follows from its counts"))
    held.extend(_facts(manifest, describe(results, {RESULTS: content})))
    other = _elsewhere(manifest, Manifest.model_validate_json(expected[MANIFEST]))
    for path, right in expected.items():
        if path not in {MANIFEST, RESULTS}:
            held.extend(_face(path, files.get(path), right, other))
    unknown = sorted({file.path for file in manifest.files} - set(expected))
    held.extend(_bad(path, "E-REPORT-FACE", "no face of these results has this name") for path in unknown)
    return held


def verify_archive(archive: Archive) -> list[Held]:
    """The same for every report of an archive, with its name; and whether the index is what follows from them."""
    from tasks.report.publishing.index import files, made

    held: list[Held] = []
    places = archive.places()
    for place in places:
        inside = archive.report(place)
        try:
            held.extend(replace(each, what=f"{place.path}/{each.what}") for each in verify(inside))
        except ConfigurationError as error:
            held.append(Held(place.path, ok=False, said=str(error)))
            continue
        if not manifest_of(inside).digest.startswith(place.digest):
            held.append(_bad(place.path, "E-REPORT-CHANGED", "its folder is called after another manifest"))
    for name, right in files(made(archive, places)).items():
        there = archive.read(name)
        if there == right:
            held.append(Held(name, ok=True, said=f"says what {len(places)} reports say"))
            continue
        try:
            found = list(differences(read(name, there or b""), read(name, right)))
        except ValueError:
            found = []
        places_differ = "; ".join(f"{at}: {_shown(a, b)} instead of {_shown(b, a)}" for at, a, b in found[:_NAMED])
        held.append(_bad(name, "E-REPORT-INDEX", places_differ or "other bytes"))
    return held


def manifest_of(files: Mapping[str, bytes]) -> Manifest:
    """The folder's manifest; raises ConfigurationError E-REPORT-FOLDER where there is none of ours."""
    try:
        return Manifest.model_validate_json(files[MANIFEST])
    except (KeyError, ValidationError):
        raise ConfigurationError("E-REPORT-FOLDER") from None


def whole(files: Mapping[str, bytes], manifest: Manifest) -> bool:
    """Whether there is every file of the manifest, as it names it, and no other."""
    return all(held.ok for held in _whole(files, manifest))


def _whole(files: Mapping[str, bytes], manifest: Manifest) -> Iterator[Held]:
    canonical = files[MANIFEST] == manifest.to_json()
    if not canonical:
        yield _bad(MANIFEST, "E-REPORT-CHANGED", "not as it is written")
    well = canonical
    for file in manifest.files:
        content = files.get(file.path)
        if content is None:
            well = False
            yield _bad(file.path, "E-REPORT-CHANGED", "it is missing")
        elif (sha256(content).hexdigest(), len(content)) != (file.sha256, file.size):
            well = False
            yield _bad(file.path, "E-REPORT-CHANGED")
    for path in sorted(set(files) - {file.path for file in manifest.files} - {MANIFEST}):
        well = False
        yield _bad(path, "E-REPORT-CHANGED", "the manifest does not name it")
    if well:
        yield Held(MANIFEST, ok=True, said=f"{len(manifest.files)} files, as it names them; its own SHA-256 is {manifest.digest}")


def _facts(manifest: Manifest, right: Manifest) -> Iterator[Held]:
    """What the manifest says of the results, but for who made the faces."""
    left_out = {"files", "made_with", "safelight_version"}
    said, expected = (each.model_dump(exclude=left_out) for each in (manifest, right))
    for name, value in expected.items():
        if said[name] != value:
            yield _bad(MANIFEST, "E-REPORT-FACE", f"{name} is not that of {RESULTS}")


def _elsewhere(manifest: Manifest, here: Manifest) -> str:
    """What made the faces and is not what is installed here, in words; empty where all is the same."""
    theirs = {**manifest.made_with, "safelight": manifest.safelight_version}
    ours = {**here.made_with, "safelight": here.safelight_version}
    return ", ".join(
        f"{name} {theirs.get(name, 'none')} (here {ours.get(name, 'none')})"
        for name in sorted({*theirs, *ours})
        if theirs.get(name) != ours.get(name)
    )


def _face(path: str, content: bytes | None, right: bytes, other: str) -> Iterator[Held]:
    if content is None:
        yield _bad(path, "E-REPORT-FACE", "these results have it, and it is missing")
        return
    if content == right:
        yield Held(path, ok=True, said=f"says what {RESULTS} says: made again, it is the same")
        return
    try:
        found = sorted(differences(read(path, content), read(path, right)), key=_is_detail)
    except ValueError as error:
        yield _bad(path, "E-REPORT-FACE", str(error))
        return
    hint = f"; it was made with {other}: verify it with these versions" if other else ""
    if not found and other and path.endswith(_PACKED):
        yield Held(path, ok=True, said=f"says what {RESULTS} says; it was packed by {other}")
    elif not found:
        yield _bad(path, "E-REPORT-FACE", f"other bytes from byte {_first(content, right)} on, in what is no text{hint}")
    for place, there, expected in islice(found, _NAMED):
        yield _bad(path, "E-REPORT-FACE", f"{place}: {_shown(there, expected)} instead of {_shown(expected, there)}")
    if found and (hint or len(found) > _NAMED):
        yield _bad(path, "E-REPORT-FACE", f"{len(found)} places differ in all{hint}")


def _is_detail(difference: tuple[str, str | None, str | None]) -> bool:
    """Whether it tells a programmer more than a reader: those come last."""
    return difference[0].startswith(("object ", "part "))


def _bad(what: str, code: str, where: str = "") -> Held:
    return Held(what, ok=False, said=f"{code}: {catalogue()[code].meaning}" + (f" ({where})" if where else ""))


def _first(a: Sequence[object], b: Sequence[object]) -> int:
    return next((place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _shown(said: str | None, other: str | None) -> str:
    """What stands somewhere; of a long text, what is around the first letter that another text has otherwise."""
    if said is None:
        return "nothing"
    if len(said) == 64 and said.isalnum():
        return "another content"
    if len(said) <= _LONG:
        return repr(said)
    start = max(0, _first(said, other or "") - _LONG // 3)
    shown = said[start : start + _LONG]
    return repr(f"{'…' * bool(start)}{shown}{'…' * (start + _LONG < len(said))}")
