"""The release for machines: Croissant 1.1 (MLCommons, http://mlcommons.org/croissant/1.1), JSON-LD over schema.org.

Every file is a FileObject with its SHA-256, the volumes of a split are a FileSet, and the tables and splits are RecordSets. Paths are
relative to the manifest's own folder, so a lake can be moved or served from anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.release.about import NOT_STATED, About

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
#: From `releases/NAME/VERSION/` to the lake's folder.
TO_LAKE = "../../../"
#: Of more volumes each is in its split's FileSet and in volumes.csv, with its SHA-256, but no FileObject: mlcroissant 1.1 takes 2 ms for each.
MOST_FILES = 10_000
#: The context that the standard's appendix recommends.
_TERMS = (
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty", "fileObject", "fileSet", "format",
    "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated",
    "replace", "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip
_CONTEXT: dict[str, Any] = {
    "@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/", "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/", "dct": "http://purl.org/dc/terms/", "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"}, "examples": {"@id": "cr:examples", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"}, "name": {"@container": "@language"},
} | {term: f"cr:{term}" for term in _TERMS}  # fmt: skip
_TYPES = {"string": "sc:Text", "integer": "sc:Integer", "number": "sc:Float", "boolean": "sc:Boolean"}


def manifest(
    *, name: str, version: str, date: str, about: About, description: str, splits: Sequence[str], files: Mapping[str, tuple[str, int]],
    volumes: Sequence[Mapping[str, Any]], tables: Mapping[str, Mapping[str, str]], keys: Mapping[str, Sequence[str]],
) -> bytes:  # fmt: skip
    """The manifest's bytes.

    Args:
        date: when the release was made, as `YYYY-MM-DD`.
        files: file name in the release's folder → its SHA-256 (hex) and size in bytes.
        volumes: rows with `path` (in the lake), `sha256`, `size_bytes` and `split`.
        tables: name of a table whose file is `NAME.csv` → column → `string`, `integer`, `number` or `boolean`.
        keys: name of a table → the columns that make a row unique.
    """
    body: dict[str, Any] = {
        "@context": _CONTEXT, "@type": "sc:Dataset", "conformsTo": CONFORMS_TO, "name": name, "version": version, "datePublished": date,
        "description": description, "license": about.licence_url(), "url": about.url or f"https://{name}.invalid/",
        "creator": {"@type": "sc:Organization", "name": about.creator or NOT_STATED}, "isLiveDataset": False, "inLanguage": "en",
    }  # fmt: skip
    if about.citation:
        body["citeAs"] = about.citation
    body["distribution"] = [
        *(_file(each, each, sha256, size, "text/csv" if each.endswith(".csv") else "application/json" if each.endswith(".json") else
                "text/markdown") for each, (sha256, size) in sorted(files.items())),
        *(_file(row["path"], TO_LAKE + row["path"], row["sha256"], row["size_bytes"], "application/gzip")
          for row in (volumes if len(volumes) <= MOST_FILES else ())),
        *(_set(split, [TO_LAKE + row["path"] for row in volumes if row["split"] == split]) for split in splits),
    ]  # fmt: skip
    body["recordSet"] = [_splits(splits), *(_records(table, columns, keys[table]) for table, columns in tables.items())]
    return (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode()


def _file(identifier: str, url: str, sha256: str, size: int, kind: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject", "@id": identifier, "name": identifier.rpartition("/")[2], "contentUrl": url, "contentSize": f"{size} B",
        "encodingFormat": kind, "sha256": sha256,
    }  # fmt: skip


def _set(split: str, paths: list[str]) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet", "@id": f"files-{split}", "name": f"files-{split}", "description": f"The NIfTI volumes of the split {split}.",
        "encodingFormat": "application/gzip", "includes": paths or [f"no-file-of-{split}"],
    }  # fmt: skip


def _splits(splits: Sequence[str]) -> dict[str, Any]:
    """The splits as the standard has it: a RecordSet of data type `cr:Split` that other fields refer to."""
    return {
        "@type": "cr:RecordSet", "@id": "splits", "name": "splits", "dataType": "cr:Split", "key": {"@id": "splits/name"},
        "description": "The splits; no person is in two.",
        "field": [{"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": "sc:Text"}],
        "data": [{"splits/name": split} for split in splits],
    }  # fmt: skip


def _records(table: str, columns: Mapping[str, str], key: Sequence[str]) -> dict[str, Any]:
    fields = []
    for column, kind in columns.items():
        field = {
            "@type": "cr:Field", "@id": f"{table}/{column}", "name": column, "dataType": _TYPES[kind],
            "source": {"fileObject": {"@id": f"{table}.csv"}, "extract": {"column": column}},
        }  # fmt: skip
        if column == "split":
            field["references"] = {"field": {"@id": "splits/name"}}
        fields.append(field)
    identity: Any = [{"@id": f"{table}/{column}"} for column in key]
    return {
        "@type": "cr:RecordSet", "@id": table, "name": table, "key": identity if len(identity) > 1 else identity[0], "field": fields,
    }  # fmt: skip
