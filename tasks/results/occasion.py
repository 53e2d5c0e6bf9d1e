"""What all objects of one result share: identity, marks, times, and the way in which the software names itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID

from tasks.results.codes import schemes
from tasks.results.identity import Identity
from tasks.results.policy import ReturnsSettings

MANUFACTURER = "Safelight"
MODEL = "Safelight"
#: Where a study of the lake states no day at all.
_NO_DAY, _NO_TIME = "19000101", "000000"


@dataclass(frozen=True)
class Occasion:
    """One result on its way to objects.

    Args:
        identity: mints UIDs.
        settings: marks and numbers of series.
        digest: of all that is said, of whom, and of which images: another content has other UIDs.
        read_at: when the model read the study (seconds since the epoch); None in the lake, which knows no such time.
        software: the version of Safelight that made it.
    """

    identity: Identity
    settings: ReturnsSettings
    digest: str
    read_at: float | None
    software: str

    def naming(self, kind: str, number: int, image: Dataset, part: int = 1) -> dict[str, Any]:
        """Arguments of highdicom's constructors that all kinds of objects have in common.

        Args:
            kind: `report`, `segmentation` or `presentation`.
            number: of its series, added to the configured one.
            image: one of the images that it is about.
            part: counts the objects of its series from 1.
        """
        day, time = self.clock(image)
        name = self.identity.model.replace("@", " ")
        return {
            "series_instance_uid": self.identity.uid("series", kind, self.digest),
            "series_number": self.settings.series_number + number,
            "sop_instance_uid": self.identity.uid(kind, str(part), self.digest),
            "instance_number": part,
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": MODEL,
            "software_versions": self.software,
            "device_serial_number": self.serial(),
            "series_description": f"{self.settings.series_description} {name}"[:64],
            "content_qualification": self.settings.qualification,
            **({} if kind == "presentation" else {"content_date": day, "content_time": time}),
            "series_date": day,
            "series_time": time,
            "specific_character_set": "ISO_IR 192",
            "coding_schemes": schemes(),
        }

    def clock(self, image: Dataset) -> tuple[str, str]:
        """Day and time (UTC) of the content; in the lake those of the study, as far as the lake has them."""
        if self.read_at is None:
            return str(image.StudyDate or _NO_DAY), str(image.StudyTime or _NO_TIME)
        at = datetime.fromtimestamp(self.read_at, UTC)
        return f"{at:%Y%m%d}", f"{at:%H%M%S}"

    def serial(self) -> str:
        """DeviceSerialNumber of this installation: the end of its UID."""
        return self.identity.device()[-16:]

    def tracking(self, *of: str) -> UID:
        """The UID by which a finding is followed: it stays the same as long as the model version says it of the same images."""
        return UID(self.identity.uid("tracking", *of))


def settle(made: Dataset, occasion: Occasion, image: Dataset) -> None:
    """Take out of an object what is of this moment and not of its content: times of making, and UIDs that highdicom drew."""
    day, time = occasion.clock(image)
    made.InstanceCreationDate, made.InstanceCreationTime = day, time
    made.InstanceCreatorUID = occasion.identity.device()
    if occasion.read_at is not None:
        made.TimezoneOffsetFromUTC = "+0000"
    drawn = {str(item.DimensionOrganizationUID) for item in made.get("DimensionOrganizationSequence", ())}
    ours = {uid: occasion.identity.uid("dimensions", str(n), occasion.digest) for n, uid in enumerate(sorted(drawn))}
    for element in made.iterall() if ours else ():
        if element.keyword == "DimensionOrganizationUID":
            element.value = ours[str(element.value)]
    made.file_meta.ImplementationVersionName = "SAFELIGHT"
    for item in made.get("ContributingEquipmentSequence", ()):
        del item.ContributionDateTime
