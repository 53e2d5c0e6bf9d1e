"""The formats that a release can be exported to, by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tasks.errors import ConfigurationError
from tasks.lake import Lake
from tasks.release.export import bids, monai, nnunet, webdataset
from tasks.release.export.cases import cases
from tasks.release.export.placing import Placer, outside
from tasks.release.frozen import Frozen

FORMATS = ("monai", "nnunet", "bids", "webdataset")


def parse_formats(text: str | None, out: Path | None) -> tuple[str, ...]:
    """Formats by name, separated by commas; none for None.

    Raises:
        ConfigurationError: E-RELEASE-EXPORT where a name is not known, or where formats or folder are given without the other.
    """
    named = tuple(dict.fromkeys(part.strip() for part in text.split(","))) if text is not None else ()
    if not set(named) <= set(FORMATS) or bool(named) != (out is not None):
        raise ConfigurationError("E-RELEASE-EXPORT", "formats and folder")
    return named


def place(frozen: Frozen, name: str, out: Path) -> Path:
    """The folder of an export: `OUT/RELEASE-VERSION/FORMAT`, so that two versions never come together in one."""
    return out / f"{frozen.name}-{frozen.version}" / name


def export(
    lake: Lake,
    frozen: Frozen,
    name: str,
    out: Path,
    *,
    labels: Path | None,
    link: bool,
    number: int,
    on_case: Callable[[], object],
) -> Counter[str]:
    """Export a release in one format to its folder (`place`); files that are there already and whole are kept.

    Args:
        labels: a folder of label volumes (`tasks.release.export.cases.cases`), or None.
        link: hard links instead of copies.
        number: nnU-Net's number of the data set.

    Returns:
        how many cases were copied, linked, kept and left out, and how many files of an earlier run with other options were removed.
    """
    placer = Placer(lake, outside(lake, place(frozen, name, out)), link, on_case)
    chosen = cases(frozen, labels)
    if name == "monai":
        monai.export(frozen, chosen, placer)
    elif name == "nnunet":
        nnunet.export(frozen, chosen, placer, number)
    elif name == "bids":
        bids.export(frozen, chosen, placer)
    else:
        webdataset.export(frozen, chosen, placer)
    placer.tidy()
    return placer.counts
