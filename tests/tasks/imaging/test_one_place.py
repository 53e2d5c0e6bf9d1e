"""There is one implementation: nothing else in the code resamples, and the page's examples run."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tasks.imaging.presets import presets

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "imaging.md").read_text("utf-8")

#: What would make an implementation of its own: ITK, and the functions of scipy, nibabel and pydicom that resample, turn or window.
OTHERS = {
    "SimpleITK", "nibabel.processing", "nibabel.orientations", "affine_transform", "map_coordinates", "zoom", "apply_windowing",
    "apply_orientation", "io_orientation", "gaussian_filter1d",
}  # fmt: skip


def names(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(alias.name for alias in node.names)}
        elif isinstance(node, ast.Attribute):
            found |= {node.attr, ast.unparse(node)}
    return found


def test_nothing_else_resamples_turns_or_windows() -> None:
    """But for one module that draws pictures to train a network on: they are nobody's, and have no geometry."""
    seen = {path.relative_to(ROOT / "tasks") for path in (ROOT / "tasks").rglob("*.py") if names(path) & OTHERS}
    assert {path for path in seen if path.parts[0] != "imaging"} == {Path("deid/burned_in/dim_text/examples.py")}


def test_training_and_inference_import_what_they_do_to_voxels() -> None:
    inference = ROOT / "tasks" / "inference"
    for module in ("reader", "phantoms"):
        assert "prepare" in names(inference / f"{module}.py")
    assert {"tasks.imaging.extent", "tasks.imaging.resampling", "tasks.imaging.separable", "orientation"} <= names(
        inference / "preprocess.py"
    )
    assert "windows" in names(inference / "intensity.py")


@pytest.mark.filterwarnings("error")
def test_the_examples_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) >= 6
    names: dict[str, object] = {}
    for number, example in enumerate(examples):
        exec(compile(example, f"docs/imaging.md, example {number + 1}", "exec"), names)
    assert capsys.readouterr().out


def test_the_page_lists_the_windows() -> None:
    table = {row[0]: row[1:] for row in re.findall(r"^\| `(\w+)` \| (\w+) \| (\S+) \| (\S+) \| (\S+) \|", PAGE, re.MULTILINE)}
    assert table == {name: (each.modality, f"{each.center:g}", f"{each.width:g}", each.unit) for name, each in presets().items()}
