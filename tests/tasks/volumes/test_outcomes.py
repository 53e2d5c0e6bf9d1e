"""Each class of series has the outcome that is decided for it; whatever is published states each voxel's position; nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import catalogue
from tests.tasks.volumes.classes import CLASSES, Class, table
from tests.tasks.volumes.phantom import offsets, run


@pytest.mark.parametrize("name", CLASSES)
def test_the_outcome_is_the_one_that_is_decided(name: str, tmp_path: Path) -> None:
    case: Class = CLASSES[name]
    files = case.make()
    ran = run(tmp_path, files, case.settings)
    found = [
        (
            row["status"],
            row["reason_code"],
            row["n_slices"] if row["kind"] != "2d" else None,
            tuple(row["split_by"]),
            row["n_duplicates"],
        )
        for row in ran.rows
    ]
    expected = [(part.status, part.reason, part.slices, part.split_by, part.duplicates) for part in case.parts]
    assert [each[:2] for each in found] == [each[:2] for each in expected]
    for have, want, row, part in zip(found, expected, ran.rows, case.parts, strict=True):
        if want[2] is not None:
            assert have == want
            assert row["n_volumes"] == part.volumes
    # whatever was published is right, and nothing is lost
    above = [
        each
        for row in ran.rows
        if row["affine"] is not None and not row["reason_code"].endswith("SPACING")
        for each in offsets(ran, row, case.rounding)
    ]
    if case.offsets is not None:
        assert tuple(above) == case.offsets
    assert sum(ran.ends.values()) == len(files) == len(ran.instances)
    assert [row["volume_index"] for row in ran.rows] == list(range(len(ran.rows)))
    for row in ran.rows:
        assert not row["reason_code"] or row["reason_code"] in catalogue()
        assert len(row["source_instances"]) == len(row["source_frames"]) >= row["n_instances"] - row["n_duplicates"]
        if row["path"] is not None:
            assert row["status"] != "quarantined"
            assert ran.image(row).shape[:2] == (row["n_columns"], row["n_rows"])
    keys = {key for row in ran.rows for key in row["source_instances"]}
    assert keys == {row["SOPInstanceUID"] for row in ran.instances if row["status"] != "duplicate"}


def test_the_documentation_has_the_table_of_classes() -> None:
    text = (Path(__file__).parents[3] / "docs" / "volumes" / "outcomes.md").read_text("utf-8")
    assert table() in text, "print it by `python -m tests.tasks.volumes.classes`"
