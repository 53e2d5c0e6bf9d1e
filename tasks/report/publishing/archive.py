"""An archive of reports: it only grows. Nothing in it is overwritten, and whatever is half-written is no report.

A report lies at `<plan>/<year>/<number>-<digest>/`: the year in which it was published, its number in the order of publication over all plans,
and the beginning of its manifest's SHA-256. Its manifest is written last, and a folder without one is not published. So a
report can be published by several processes at once, killed, and published again, and is there once. Numbers come from what lies there;
two that are published in the same moment may get the same one, and then come in the order of their digests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tasks.errors import ConfigurationError, SafelightError
from tasks.lake import Lake
from tasks.report.publishing.manifest import MANIFEST, Manifest

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_PLACE = re.compile(rf"({_NAME})/(\d{{4}})/(\d{{4,}})-([0-9a-f]{{16}})/(.+)")
_DIGITS = 16


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a report lies in an archive. Places are in the order of publication."""

    number: int
    digest: str
    plan: str
    year: int

    @property
    def path(self) -> str:
        """The folder, below the archive's own."""
        return f"{self.plan}/{self.year}/{self.number:04d}-{self.digest}"


@dataclass(frozen=True, slots=True)
class Archive:
    """Reports below a folder of a lake or of any other place that one can be: a folder, or an object store."""

    lake: Lake
    prefix: str = ""

    @classmethod
    def open(cls, url: str) -> Archive:
        """Open or begin the archive at a folder or URL; raises ConfigurationError E-REPORT-DESTINATION where nothing can be written."""
        try:
            return cls(Lake.open(url))
        except ConfigurationError:
            raise ConfigurationError("E-REPORT-DESTINATION", Lake(url).shown) from None

    def read(self, path: str) -> bytes | None:
        """A file's bytes; None where there is none."""
        there = self._at(path)
        return self.lake.read(there) if self.lake.exists(there) else None

    def report(self, place: Place) -> dict[str, bytes]:
        """Everything in a report's folder, by its path there."""
        base = len(self._at(place.path)) + 1
        return {path[base:]: self.lake.read(path) for path in self.lake.files(self._at(place.path))}

    def places(self) -> list[Place]:
        """The reports that were published, in their order. One that lies there twice counts where it came first."""
        published: dict[tuple[str, str], Place] = {}
        for place, path in self._found():
            if path == MANIFEST:
                key = place.plan, place.digest
                published[key] = min(place, published.get(key, place))
        return sorted(published.values())

    def publish(self, files: Mapping[str, bytes], year: int) -> tuple[Place, bool]:
        """Put a report into the archive; the index is not touched.

        Args:
            files: of `tasks.report.render.files`, the manifest last.
            year: of the publication.

        Returns:
            where it lies, and whether it was not there before.

        Raises:
            SafelightError: E-REPORT-EXISTS where something else lies in its place.
            ConfigurationError: E-REPORT-NAME where the plan's name can be no folder.
        """
        manifest = Manifest.model_validate_json(files[MANIFEST])
        plan, digest = manifest.plan_name, manifest.digest[:_DIGITS]
        if not re.fullmatch(_NAME, plan):
            raise ConfigurationError("E-REPORT-NAME")
        found = list(self._found())
        mine = sorted({place for place, _ in found if (place.plan, place.digest) == (plan, digest)})
        published = [place for place in mine if (place, MANIFEST) in found]
        if published:
            if self.report(published[0]) != files:
                raise SafelightError("E-REPORT-EXISTS", published[0].path)
            return published[0], False
        number = 1 + max((place.number for place, _ in found), default=0)
        place = mine[0] if mine else Place(number, digest, plan, year)  # what a killed process began is brought to its end
        self.put({f"{place.path}/{path}": content for path, content in files.items()})
        return place, True

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files in this order, each at once or not at all."""
        self.lake.put({self._at(path): content for path, content in files.items()})

    def _at(self, path: str) -> str:
        return f"{self.prefix}/{path}" if self.prefix else path

    def _found(self) -> Iterable[tuple[Place, str]]:
        """Every file in a report's folder: the place, and the path in it."""
        base = len(self._at(""))
        for path in self.lake.files(self.prefix):
            match = _PLACE.fullmatch(path[base:])
            if match is not None:
                plan, year, number, digest, inside = match.groups()
                yield Place(int(number), digest, plan, int(year)), inside
