"""The committed weights do what the model card says: they find nodules in thin slices, and fewer in thick ones."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tasks.inference.bundle import folder_of, load
from tasks.inference.execution import REFERENCE
from tasks.inference.gates import content_share, plausible
from tasks.inference.manifest import LinearWindow, parse
from tasks.inference.phantoms import PROTOCOLS, TEST, Case, as_case, cases
from tasks.inference.preprocess import prepare
from tasks.inference.reader import open_reader
from tasks.inference.train import Recipe, as_yaml
from tasks.inference.volume import Volume
from tasks.synthetic.phantom import MEDIUM, THICK, THIN, chest
from tasks.synthetic.seeds import phantom_seed

PAGE = (Path(__file__).parents[3] / "docs" / "models.md").read_text("utf-8")
DEMO = load("demo_nodule")
READER = open_reader(DEMO, REFERENCE)
POINT = DEMO.manifest.findings[0].operating_point

#: The same chests, which are neither of the training nor of the test that the manifest quotes, under each protocol.
FRESH = range(1000, 1024)


@pytest.fixture(scope="module")
def scores() -> dict[str, list[float]]:
    return {name: [READER.infer(fresh(number, name).prepared).scores["nodule"] for number in FRESH] for name in ("thin", "thick")}


def fresh(number: int, protocol: str) -> Case:
    made = chest(phantom_seed(77, number), protocol=PROTOCOLS[protocol], nodules=1 + number % 4 // 2 if number % 2 else 0)
    return as_case(protocol, made, DEMO.manifest.input)


def area(scores: list[float]) -> float:
    return float(roc_auc_score([number % 2 for number in FRESH], scores))


def test_thin_slices_are_read_well_and_thick_ones_worse(scores: dict[str, list[float]]) -> None:
    assert area(scores["thin"]) > 0.85
    assert area(scores["thick"]) < area(scores["thin"])
    assert area(scores["thick"]) > 0.5


def test_the_threshold_tells_most_thin_phantoms_apart(scores: dict[str, list[float]]) -> None:
    called = np.array(scores["thin"]) >= POINT.threshold
    truth = np.array([number % 2 == 1 for number in FRESH])
    assert called[truth].mean() > called[~truth].mean() + 0.4
    assert 0 < POINT.threshold < 1
    assert "validation phantoms" in POINT.source


@pytest.mark.parametrize("protocol", [THIN, MEDIUM, THICK])
def test_the_input_gate_lets_phantoms_of_every_protocol_through_and_unrescaled_values_not(protocol: object) -> None:
    name = next(key for key, value in PROTOCOLS.items() if value is protocol)
    for number in range(4):
        case = fresh(number, name)
        share = content_share(case.volume, DEMO.manifest.profile.content_range)
        assert plausible(case.prepared.statistics, share, DEMO.manifest.profile)
        wrong = Volume(case.volume.voxels + np.int16(1024), case.volume.affine_ras)
        assert not plausible(
            case.prepared.statistics, content_share(wrong, DEMO.manifest.profile.content_range), DEMO.manifest.profile
        )


@pytest.mark.parametrize(("center", "width"), [(40, 400), (50, 350), (-600, 1500), (300, 2000), (400, 1800)])
def test_the_window_of_another_task_is_caught_by_the_input_gate(center: float, width: float) -> None:
    """The same chest through the window of a soft tissue, a wider lung or a bone model: nothing that the network was trained on."""
    how = DEMO.manifest.input.model_copy(update={"window": LinearWindow(kind="window", center=center, width=width)})
    for number in range(4):
        case = fresh(number, "thin")
        share = content_share(case.volume, DEMO.manifest.profile.content_range)
        assert plausible(case.prepared.statistics, share, DEMO.manifest.profile)
        assert not plausible(prepare(case.volume, how).statistics, share, DEMO.manifest.profile)


def test_the_manifest_is_as_a_training_writes_it() -> None:
    path = folder_of("demo_nodule") / "manifest.yaml"
    assert as_yaml(parse(path.read_bytes(), "demo_nodule")) == path.read_text("utf-8")
    recipe, said = Recipe(), DEMO.manifest.training
    assert (said["seed"], said["phantoms"], said["steps"]) == (recipe.seed, recipe.phantoms, recipe.steps)
    assert (said["validation_phantoms"], said["test_phantoms"]) == (recipe.validation, recipe.test)


def test_the_model_card_says_what_the_manifest_says() -> None:
    said = DEMO.manifest.training
    for name, protocol in PROTOCOLS.items():
        assert f"| {name} | {protocol.slice_thickness_mm:g} mm | {said[f'test_auc_{name}']:.3f} |" in PAGE
    assert f"{said['parameters']:,} parameters" in PAGE
    assert f"{said['phantoms']} phantoms of" in PAGE
    assert f"on {said['validation_phantoms']} validation phantoms" in PAGE
    assert f"on {said['test_phantoms']} other phantoms, {said['test_phantoms'] // 3} of each protocol" in PAGE
    labels = [one.label for one in cases(TEST, range(33), DEMO.manifest.input)]
    assert sum(labels) / 33 == pytest.approx(0.45, abs=0.01)


def test_every_entry_of_the_manifest_and_every_reason_is_on_the_page() -> None:
    for entry in DEMO.manifest.model_dump():
        assert re.search(rf"`{entry}[`.]", PAGE), entry
    for entry in DEMO.manifest.input.model_dump():
        assert f"`input.{entry}`" in PAGE


def test_the_python_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(example, "docs/models.md", "exec"), {})
    assert DEMO.manifest.weights.sha256 in capsys.readouterr().out
