"""Derives which elements CHAI's applied model card has, in which order and how often, from its schema, and writes them as a CSV file.

    python configs/standards/derive_model_card.py SCHEMA.xsd

SCHEMA.xsd is `v0.2/schema.xsd` of https://github.com/coalition-for-health-ai/mc-schema, or https://mc.chai.org/v0.2/schema.xsd. It is not part
of this project: the repository's LICENSE file allows copies and its README speaks of CC BY-NC-ND 4.0. Written beside this file:
`chai_applied_model_card_v0_2.csv`, with one row an element in document order:

- path: from the root element on;
- minimum, maximum: how often it stands in its parent; an empty maximum is no bound;
- content: `elements`, or `text` (xs:string).

An element of another namespace (a signature) is left out: it is optional. Where a sequence is itself repeated, its element counts as often.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

HERE = Path(__file__).parent
XS = "{http://www.w3.org/2001/XMLSchema}"
ROOT = "AppliedModelCard"
Fact = tuple[str, int, int | None, str]


def _often(element: etree._Element) -> tuple[int, int | None]:
    maximum = element.get("maxOccurs", "1")
    return int(element.get("minOccurs", "1")), None if maximum == "unbounded" else int(maximum)


def facts(schema: etree._Element) -> Iterator[Fact]:
    """Path, least and most occurrences, and content of every element of the card."""
    types = {found.get("name"): found for found in schema.findall(f"{XS}complexType")}
    root = next(found for found in schema.findall(f"{XS}element") if found.get("name") == ROOT)
    yield from _within(root.find(f"{XS}complexType"), ROOT, types)


def _within(kind: etree._Element, path: str, types: dict[str, etree._Element]) -> Iterator[Fact]:
    sequence = kind.find(f"{XS}sequence")
    least, most = _often(sequence)
    for element in sequence.findall(f"{XS}element"):
        if element.get("ref") is not None:
            continue
        minimum, maximum = _often(element)
        repeated = None if None in (maximum, most) else maximum * most
        name, said = f"{path}/{element.get('name')}", element.get("type")
        inner = types.get(said.partition(":")[2])
        if inner is None and said != "xs:string":
            raise SystemExit(f"{name}: of a type that is not known, {said}")
        yield name, minimum * least, repeated, "text" if inner is None else "elements"
        if inner is not None:
            yield from _within(inner, name, types)


def main(source: Path) -> None:
    """Write the file."""
    rows = facts(etree.parse(source).getroot())
    with (HERE / "chai_applied_model_card_v0_2.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "minimum", "maximum", "content"))
        writer.writerows((path, minimum, "" if maximum is None else maximum, content) for path, minimum, maximum, content in rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
