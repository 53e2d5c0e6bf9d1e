"""What a report is made of besides `results.json`: key images, the model's manifest, the monitoring of a period, a verdict of change control.

All of it lies in the report's folder, too, so that every face can be made again from the folder alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from tasks.errors import SafelightError

if TYPE_CHECKING:  # at run time they would bring the registry of models along
    from tasks.changes.monitoring import Monitored
    from tasks.changes.verdict import Verdict

MANIFEST: Final = "model.yaml"
MONITORING: Final = "monitoring.json"
VERDICT: Final = "verdict.json"
#: What may lie beside a report's faces, but for key images.
PARTS: Final = (MANIFEST, MONITORING, VERDICT)
#: The report's folder for key images, and the lake's.
IMAGES, IN_THE_LAKE = "images/", "results/failures/"
KEY_IMAGE: Final = re.compile(rf"{IMAGES}[0-9.]{{1,64}}\.png")


@dataclass(frozen=True, slots=True)
class Material:
    """What stands beside the results.

    Args:
        images: pictures of cases (PNG) by their path in the lake.
        manifest: of the model that was evaluated, as it is registered in the lake: what the model card says beyond the results.
        monitoring: of the period whose cases the results are about.
        verdict: on the candidate that the results are about.
    """

    images: Mapping[str, bytes] = field(default_factory=dict)
    manifest: bytes | None = None
    monitoring: Monitored | None = None
    verdict: Verdict | None = None

    def files(self) -> dict[str, bytes]:
        """Path in the report's folder → content."""
        made = {f"{IMAGES}{path.removeprefix(IN_THE_LAKE)}": image for path, image in self.images.items()}
        if self.manifest is not None:
            made[MANIFEST] = self.manifest
        for name, each in ((MONITORING, self.monitoring), (VERDICT, self.verdict)):
            if each is not None:
                made[name] = each.to_json()
        return made

    def belongs_to(self, content: bytes) -> None:
        """Hold that it is about these results.

        Args:
            content: `results.json`.

        Raises:
            SafelightError: E-REPORT-MATERIAL with the file that is about others.
        """
        for name, each in ((MONITORING, self.monitoring), (VERDICT, self.verdict)):
            if each is not None and each.results_sha256 != sha256(content).hexdigest():
                raise SafelightError("E-REPORT-MATERIAL", f"{name}: about another results.json")


def within(files: Mapping[str, bytes]) -> Material:
    """The material that lies in a report's folder: what `Material.files` gave.

    Raises:
        SafelightError: E-REPORT-MATERIAL with the file that cannot be read.
    """
    from tasks.changes.monitoring import Monitored
    from tasks.changes.verdict import Verdict

    images = {f"{IN_THE_LAKE}{path.removeprefix(IMAGES)}": image for path, image in files.items() if path.startswith(IMAGES)}
    try:
        monitoring = Monitored.model_validate_json(files[MONITORING]) if MONITORING in files else None
        verdict = Verdict.model_validate_json(files[VERDICT]) if VERDICT in files else None
    except ValidationError as error:
        name = MONITORING if error.title == Monitored.__name__ else VERDICT
        raise SafelightError("E-REPORT-MATERIAL", f"{name}: not of this version of Safelight") from None
    return Material(images, files.get(MANIFEST), monitoring, verdict)
