"""What a plan will take: bytes by what came of each modality before, time by the rate at which it came; typical values until then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from tasks.declarations import shipped
from tasks.pacs.asking.found import FoundStudy
from tasks.pacs.settings import PacsSettings

#: Where a figure comes from: from what was retrieved, from the typical values of `configs/modalities.yaml`, or from both.
Basis = Literal["measured", "assumed", "partly measured"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes and seconds that a retrieval is expected to take, each with where the figure comes from."""

    bytes: float
    bytes_basis: Basis
    seconds: float
    seconds_basis: Basis


def estimate(
    studies: Iterable[FoundStudy], pacs: PacsSettings, sizes: Mapping[str, float], rate: float | None
) -> Estimate:  # fmt: skip
    """For the studies of one PACS.

    Args:
        studies: those that are to be pulled.
        pacs: has the number of associations, and the greatest number of studies an hour.
        sizes: bytes of one instance by modality, as measured (`Book.sizes`).
        rate: bytes a second and association, as measured (`Book.rate`).
    """
    typical = _typical()
    total, measured, assumed, n = 0.0, 0, 0, 0
    for study in studies:
        n += 1
        for series in study.listed:
            if not series.chosen or not series.instances:
                continue
            known = sizes.get(series.modality)
            total += series.instances * (known or typical["modalities"].get(series.modality, typical["other"]))
            measured += known is not None
            assumed += known is None
    seconds = total / ((rate or typical["bytes_per_second"]) * pacs.manners.associations)
    if pacs.manners.studies_per_hour is not None:
        seconds = max(seconds, n / pacs.manners.studies_per_hour * 3600)
    sized: Basis = "assumed" if not measured else "partly measured" if assumed else "measured"
    return Estimate(total, sized, seconds, "assumed" if rate is None else sized if sized != "assumed" else "partly measured")


def known_modality(said: str) -> str | None:
    """A series' Modality if it is one of the standard's terms: any other text may hold anything, and stays in the vault."""
    return said if said in _typical()["modalities"] else None


@cache
def _typical() -> dict[str, Any]:
    loaded: dict[str, Any] = shipped("modalities.yaml")
    return loaded
