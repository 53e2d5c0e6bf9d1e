"""Derives the attribute types that profiles need from a tabulation of PS3.3, and prints them as two CSV files' content.

    python configs/standards/derive_types.py FOLDER

FOLDER holds `sop_class_iod_map.json`, `iod_module_map.json` and `module_attribute_map.json` as the highdicom project makes them from the
standard and ships them in its wheel (`highdicom/_standard`; release 0.28.2, whose repository names edition 2026b). They are not part of
this project. Written beside this file: `ps3_3_sop_class_iods_2026b.csv` and `ps3_3_attribute_types_2026b.csv`.

What is kept, for the IODs of the SOP classes that `configs/profiles/safe_harbor.yaml` allows:

- attributes that PS3.15 Table E.1-1 lists with another code than U, where they are Type 1, 1C, 2 or 2C;
- other attributes of Type 1 and 1C whose VR is one that a profile may have to empty (texts, dates, code strings, numbers as text).

An attribute that is not in the list at its place is Type 3 there, or not of the IOD: both may be removed. Where several modules name an
attribute at one place the strictest type counts, those of optional modules too. The shared and the per-frame functional groups are one
place. The code sequence macro (PS3.3 section 8.8) is left out: codes are replaced as a whole.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml
from pydicom.datadict import dictionary_VR, tag_for_keyword

HERE = Path(__file__).parent
EDITION = "2026b"
STRICTEST_FIRST = ("1", "1C", "2", "2C", "3", "None")
MAY_BE_EMPTIED = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT"})
CODES = frozenset({
    "CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "CodeMeaning", "LongCodeValue", "URNCodeValue", "MappingResource",
    "MappingResourceUID", "MappingResourceName", "ContextIdentifier", "ContextUID", "ContextGroupVersion", "ContextGroupLocalVersion",
    "ContextGroupExtensionFlag", "ContextGroupExtensionCreatorUID", "EquivalentCodeSequence",
})  # fmt: skip
FUNCTIONAL_GROUPS = {"PerFrameFunctionalGroupsSequence": "SharedFunctionalGroupsSequence"}

Place = tuple[tuple[str, ...], str]


def types_of(iod: str, modules: dict[str, Any], attributes: dict[str, Any]) -> dict[Place, str]:
    """The strictest type of every attribute of an IOD, by its place: the keywords of the sequences that lead to it, and its own."""
    found: dict[Place, str] = {}
    for module in modules[iod]:
        for entry in attributes.get(module["key"], ()):
            place = (tuple(FUNCTIONAL_GROUPS.get(name, name) for name in entry["path"]), entry["keyword"])
            found[place] = min(found.get(place, "None"), entry["type"], key=STRICTEST_FIRST.index)
    return found


def needed(keyword: str, kind: str, codes: dict[str, str]) -> bool:
    """Whether the type of an attribute can change what a profile does with it."""
    tag = tag_for_keyword(keyword)
    if tag is None or (tag >> 24) in (0x50, 0x60) or keyword in CODES:
        return False
    if codes.get(keyword, "U") != "U":
        return kind in ("1", "1C", "2", "2C")
    return kind in ("1", "1C") and dictionary_VR(tag) in MAY_BE_EMPTIED


def main(folder: Path) -> None:
    """Write both files."""
    sop_classes, modules, attributes = (
        json.loads((folder / f"{name}.json").read_text("utf-8"))
        for name in ("sop_class_iod_map", "iod_module_map", "module_attribute_map")
    )
    with (HERE / "ps3_15_table_e1_1_2026d.csv").open(encoding="utf-8", newline="") as table:
        codes = {row["keyword"]: row["basic"] for row in csv.DictReader(table) if re.fullmatch("[0-9A-F]{8}", row["tag"])}
    profile = yaml.safe_load((HERE.parent / "profiles" / "safe_harbor.yaml").read_text("utf-8"))
    iods = {uid: sop_classes[uid] for kind in profile["sop_classes"].values() for uid in kind}
    places: dict[tuple[Place, str], set[str]] = defaultdict(set)
    for iod in set(iods.values()):
        for place, kind in types_of(iod, modules, attributes).items():
            if needed(place[1], kind, codes):
                places[place, kind].add(iod)
    every = set(iods.values())
    with (HERE / f"ps3_3_sop_class_iods_{EDITION}.csv").open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(("sop_class", "iod"))
        rows.writerows(sorted(iods.items()))
    with (HERE / f"ps3_3_attribute_types_{EDITION}.csv").open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(("path", "tag", "keyword", "type", "iods"))
        for (path, keyword), kind in sorted(places):
            where = places[(path, keyword), kind]
            tags = [f"{tag_for_keyword(name):08X}" for name in (*path, keyword)]
            rows.writerow((".".join(tags[:-1]), tags[-1], keyword, kind, "*" if where == every else " ".join(sorted(where))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
