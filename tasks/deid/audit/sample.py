"""Draws series from the vault's spool: so many of each modality and manufacturer, the same ones for the same seed.

Modality and manufacturer are told only as far as they are no value of the hospital's: a modality that `configs/modalities.yaml` lists, and a
manufacturer whose every word is in the vocabulary that may be released (its first word stands for it). All others are `other`.
"""

from __future__ import annotations

import random
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydicom import config as pydicom_config
from pydicom import dcmread

from tasks.declarations import shipped
from tasks.vault import Vault

OTHER = "other"


@dataclass(frozen=True, slots=True, order=True)
class Stratum:
    """A modality and a manufacturer, as they may be told."""

    modality: str
    manufacturer: str


@dataclass(frozen=True)
class Drawn:
    """What a draw came to.

    Attributes:
        series: stratum → folders of the spool, each one series, in the order in which they were drawn.
        found: how many series the spool has that can be read.
        unreadable: how many of its series have a first file that is no readable DICOM: they are in no stratum.
    """

    series: dict[Stratum, list[Path]] = field(repr=False)
    found: int
    unreadable: int


def draw(vault: Vault, *, most: int, seed: int) -> Drawn:
    """Draw at most `most` series of each stratum without replacement, each with the same chance."""
    strata: dict[Stratum, list[Path]] = defaultdict(list)
    unreadable = 0
    for folder in _folders(vault):
        stratum = _stratum(folder)
        if stratum is None:
            unreadable += 1
        else:
            strata[stratum].append(folder)
    dice = random.Random(seed)  # noqa: S311 - a draw that can be repeated, no secret
    drawn = {stratum: dice.sample(folders, min(most, len(folders))) for stratum, folders in sorted(strata.items())}
    return Drawn(drawn, sum(map(len, strata.values())), unreadable)


def manufacturer_label(value: str) -> str:
    """`siemens` for `SIEMENS Healthineers`; `other` where a word of the value may not be released."""
    words = re.findall(r"[^\W_]+", value.lower())
    return words[0] if words and set(words) <= _manufacturers() else OTHER


def modality_label(value: str) -> str:
    """The modality where it is one of PS3.3 C.7.3.1.1.1 that `configs/modalities.yaml` lists; `other` for any other value."""
    return value if value in _modalities() else OTHER


def _folders(vault: Vault) -> Iterable[Path]:
    """The spool's series, but none of a study that is just arriving or going (`.incoming-…`)."""
    for study in sorted(vault.spool.iterdir()):
        if study.is_dir() and re.fullmatch(r"2\.25\.[0-9]+", study.name):
            yield from (series for series in sorted(study.iterdir()) if series.is_dir() and any(series.glob("*.dcm")))


def _stratum(folder: Path) -> Stratum | None:
    first = min(folder.glob("*.dcm"))
    with warnings.catch_warnings(), pydicom_config.disable_value_validation():
        warnings.simplefilter("ignore")
        try:
            header = dcmread(first, stop_before_pixels=True, specific_tags=["Modality", "Manufacturer"])
            modality, manufacturer = (str(header.get(name) or "").strip(" \0") for name in ("Modality", "Manufacturer"))
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - whatever a parser makes of damaged input: it is counted, and the stage quarantines it with a reason
            return None
    return Stratum(modality_label(modality), manufacturer_label(manufacturer))


@cache
def _manufacturers() -> frozenset[str]:
    return frozenset(str(word).lower() for word in shipped("profiles", "vocabulary", "released_text.yaml")["manufacturers"])


@cache
def _modalities() -> frozenset[str]:
    loaded = shipped("modalities.yaml")
    return frozenset(map(str, loaded["modalities"]))
