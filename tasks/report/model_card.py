"""A model card in the form of the Coalition for Health AI: the applied model card v0.2, as XML.

Which elements it has, in which order and how often, stands in `configs/standards/chai_applied_model_card_v0_2.csv`, derived from CHAI's
schema; what they say is made of one evaluation and one manifest (`tasks.report.model_card_facts`). What neither knows is `Not stated`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final
from xml.etree import ElementTree as ET

from tasks.errors import SafelightError
from tasks.evaluation.results import Results
from tasks.inference.manifest import Manifest
from tasks.report.checks import check
from tasks.report.model_card_facts import Card, facts
from tasks.report.wording import printable

NAMESPACE: Final = "https://mc.chai.org/v0.2/schema.xsd"
ROOT: Final = "AppliedModelCard"
NOT_STATED: Final = "Not stated"
#: What XML 1.0 (section 2.2) has no character for.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Element:
    """One element of the card: its path below the root, least and most occurrences in its parent (None: no bound), whether it holds text."""

    path: str
    minimum: int
    maximum: int | None
    text: bool


@cache
def shape() -> tuple[Element, ...]:
    """Every element in document order."""
    table = files("configs").joinpath("standards", "chai_applied_model_card_v0_2.csv").read_text("utf-8")
    return tuple(
        Element(
            row["path"].removeprefix(f"{ROOT}/"),
            int(row["minimum"]),
            int(row["maximum"]) if row["maximum"] else None,
            row["content"] == "text",
        )
        for row in csv.DictReader(table.splitlines())
    )


def model_card(results: Results, manifest: Manifest | None = None, stated: Mapping[str, str] | None = None) -> bytes:
    """The card of the model that was evaluated, as UTF-8; the same arguments give the same bytes.

    Args:
        results: the evaluation.
        manifest: of the model that was evaluated; without it the card says less.
        stated: what only people know, such as the developer: Markdown by an element's path below the root
            (`BasicInfo/ModelDeveloper`). Only elements that would otherwise be `Not stated`, absent or empty.

    Raises:
        SafelightError: E-REPORT-MISMATCH where the results contradict themselves; E-REPORT-MODEL-CARD where the manifest is that of another
            model, or `stated` names an element that there is not or that the evaluation fills.
    """
    check(results)
    if manifest is not None:
        _same_model(results, manifest)
    card = facts(printable(results), manifest)
    for path, text in (stated or {}).items():
        single = any(each.path == path and each.text and each.maximum == 1 for each in shape())
        if not single or card.get(path):
            raise SafelightError("E-REPORT-MODEL-CARD", f"{path} cannot be stated")
        card[path] = text
    root = ET.Element(_tag(ROOT))
    _fill(root, "", card)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", default_namespace=NAMESPACE)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + written + b"\n"


def _same_model(results: Results, manifest: Manifest) -> None:
    made = results.provenance
    pairs = (
        ("name", made.model_name, manifest.name),
        ("version", made.model_version, manifest.version),
        ("weights", made.weights_sha256, manifest.weights.sha256),
        ("finding", results.finding, results.finding if manifest.finding(results.finding) else ""),
    )
    for what, evaluated, declared in pairs:
        if evaluated and evaluated != declared:
            raise SafelightError("E-REPORT-MODEL-CARD", f"the manifest is that of another model: {what}")


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _fill(parent: ET.Element, within: str, card: Card) -> None:
    """Add what stands directly under `within`: required elements always, optional ones where the card has something for them."""
    for each in shape():
        place, _, name = each.path.rpartition("/")
        if place != within:
            continue
        if each.text:
            said = card.get(each.path, NOT_STATED if each.minimum else ())
            for text in (said,) if isinstance(said, str) else said:
                ET.SubElement(parent, _tag(name)).text = _ILLEGAL.sub("\ufffd", str(text).replace("\r", "\n"))
        elif each.maximum is None:
            for entry in card.get(each.path, ()):
                inner = ET.SubElement(parent, _tag(name))
                _fill(inner, each.path, {f"{each.path}/{key}": value for key, value in dict(entry).items()})
        elif each.minimum or any(path.startswith(f"{each.path}/") for path in card):
            _fill(ET.SubElement(parent, _tag(name)), each.path, card)
