"""What a profile says about text in pixels: its section `pixels`, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from tasks.errors import ConfigurationError

_CHOICES = {
    "text": ("blank", "quarantine"), "declared": ("blank", "quarantine"), "catalogue": ("blank", "quarantine"),
    "ultrasound": ("outside", "text"),
}  # fmt: skip
_NUMBERS = {"threshold": (0.1, 0.95), "suspect_threshold": (0.1, 0.95), "slices_a_look": (1, 1024), "frames_a_look": (1, 256)}


@dataclass(frozen=True, slots=True)
class PixelPolicy:
    """What is done about text.

    Args:
        text: text that is found is blanked, or its instance is held back.
        declared: an image with BurnedInAnnotation YES is looked at more closely and blanked, and held back if nothing is found in it;
            or it is held back at once.
        catalogue: the regions of the catalogue of devices are blanked, or the image is held back.
        ultrasound: where regions are calibrated, all outside of them is blanked, or only text that is found there, at `suspect_threshold`.
        threshold: the least mean probability of text (0 to 1).
        suspect_threshold: the same where text is to be expected.
        slices_a_look: how many slices of CT, MR and PET share one look at their maximum, minimum and spread.
        frames_a_look: the same for the frames of other multi-frame images.
    """

    text: Literal["blank", "quarantine"] = "blank"
    declared: Literal["blank", "quarantine"] = "quarantine"
    catalogue: Literal["blank", "quarantine"] = "blank"
    ultrasound: Literal["outside", "text"] = "outside"
    threshold: float = 0.5
    suspect_threshold: float = 0.35
    slices_a_look: int = 256
    frames_a_look: int = 16

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> PixelPolicy:
        """The policy of a profile's section; entries that are missing have their defaults.

        Raises:
            ConfigurationError: E-DEID-PIXEL-POLICY, naming the entry that is unknown or not allowed.
        """
        if odd := sorted(set(map(str, section)) - {field.name for field in fields(cls)}):
            raise ConfigurationError("E-DEID-PIXEL-POLICY", f"unknown: {', '.join(odd)}")
        for name, value in section.items():
            if name in _CHOICES and value not in _CHOICES[name]:
                raise ConfigurationError("E-DEID-PIXEL-POLICY", f"{name} is one of {', '.join(_CHOICES[name])}")
            if name in _NUMBERS:
                least, most = _NUMBERS[name]
                kinds = (int,) if isinstance(least, int) else (int, float)
                if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
                    raise ConfigurationError("E-DEID-PIXEL-POLICY", f"{name} is from {least} to {most}")
        return cls(**section)
