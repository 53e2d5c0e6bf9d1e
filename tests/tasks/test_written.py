"""Files that people write: what is wrong with them is said with the file and the line or field, and no value of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from tasks import written
from tasks.errors import ConfigurationError


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: int


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"a: [1", "it is not valid YAML"), (b"born: 2021-13-45", "it is not valid YAML"), (b"\xff\xfe\xff", "it is not valid YAML"),
        (b"- SECRET", "it must hold keys and values"), (b"", "it must hold keys and values"),
    ],
)  # fmt: skip
def test_content_that_is_no_mapping(content: bytes, place: str) -> None:
    with pytest.raises(ConfigurationError, match="E-EVAL-PLAN") as caught:
        written.mapping(content, "plan.yaml", "E-EVAL-PLAN")
    assert caught.value.place.startswith("plan.yaml")
    assert caught.value.place.endswith(place)
    assert "SECRET" not in str(caught.value)


def test_each_field_that_is_wrong_is_named_and_its_value_is_not() -> None:
    with pytest.raises(ConfigurationError) as caught:
        written.checked(Wanted, {"count": "SECRET", "other": "SECRET"}, "plan.yaml", "E-EVAL-PLAN")
    assert "count input should be a valid integer" in caught.value.place
    assert "other is not a known field" in caught.value.place
    assert "SECRET" not in str(caught.value)


def test_a_path_a_shipped_name_and_neither(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"count: 1")
    assert written.found(tmp_path / "mine.yaml", "plans", "E-EVAL-PLAN") == ("mine.yaml", "mine", b"count: 1")
    assert written.found("demo", "plans", "E-EVAL-PLAN")[1] == "demo"
    for missing in ("no_such_plan", "../plans/demo"):
        with pytest.raises(ConfigurationError, match="E-EVAL-PLAN"):
            written.found(missing, "plans", "E-EVAL-PLAN")
