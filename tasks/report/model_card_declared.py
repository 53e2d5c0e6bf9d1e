"""What a model's manifest says for the elements of a model card."""

from __future__ import annotations

from typing import Any

from tasks.evaluation.results import Results
from tasks.inference.manifest import Manifest
from tasks.report.markdown import bullets, lines, plain
from tasks.report.wording import attribute


def synthetic(results: Results) -> str:
    """What must stand beside every number of generated data; empty for others."""
    return "The data were generated: the numbers say nothing about patients." if results.synthetic else ""


def declared(results: Results, manifest: Manifest) -> dict[str, Any]:
    """Path below the root → Markdown, as in `tasks.report.model_card_facts.Card`."""
    accepted, given, system = manifest.accepted, manifest.input, "TrustIngredients/AISystemFacts"
    finding = manifest.finding(results.finding)
    gate = {name: value for name, value in accepted.model_dump(exclude_none=True).items() if name != "complete"}
    spoken = [f"{attribute(name)}: {_range(value)}" for name, value in gate.items()]
    network = f"; network {manifest.weights.architecture.network}" if manifest.weights.architecture else ""
    form = {"classification": "a score", "segmentation": "an outline", "detection": "boxes with scores"}[manifest.head.kind]
    card: dict[str, Any] = {
        "ModelSummary/Keywords/Keyword": [plain(word) for word in (results.finding, *accepted.modality)],
        "UsesAndDirections/IntendedUseAndWorkflow": plain(manifest.intended_use),
        "UsesAndDirections/CautionedOutOfScopeSettings": lines(
            "For synthetic data only; not for images of patients." if manifest.synthetic_only else "",
            "Safelight shows the model nothing but this:",
            *bullets(map(plain, spoken)),
            *bullets(["volumes without missing slices"] if accepted.complete else []),
        ),
        f"{system}/OutcomesAndOutputs": f"For each study {form}: {plain(results.finding)}"
        + (f" ({plain(f'{finding.code.scheme} {finding.code.value} {finding.code.meaning}')})." if finding else "."),
        f"{system}/ModelType": plain(f"{manifest.head.kind}; weights as {manifest.weights.format}{network}"),
        f"{system}/InputDataSource": plain(f"DICOM images of modality {_range(accepted.modality)}"),
        f"{system}/OutputAndInputDataTypes": plain(
            f"Input: a volume{f' of voxels of {_range(given.spacing_mm)} mm (z, y, x)' if given.spacing_mm else ''}. Output: {form}"
            f"{f', {finding.score}' if finding and manifest.head.kind != 'segmentation' else ''}."
        ),
    }  # fmt: skip
    if manifest.training:
        card[f"{system}/DevelopmentDataCharacterization"] = lines(
            *bullets(plain(f"{name.replace('_', ' ')}: {value}") for name, value in manifest.training.items())
        )
    if manifest.intended_use != results.intended_use:
        card["ModelSummary/Summary"] = lines(
            f"Finding: {plain(results.finding)}.",
            f"Intended use in the model's manifest: {plain(manifest.intended_use)}",
            f"Intended use in the evaluation's plan: {plain(results.intended_use)}",
            synthetic(results),
        )
    return card


def _range(value: object) -> str:
    if isinstance(value, (tuple, list)):
        numbers = all(isinstance(part, (int, float)) for part in value)
        return (" to " if numbers and len(value) == 2 else ", ").join(
            f"{part:g}" if isinstance(part, (int, float)) else str(part) for part in value
        )
    return str(value)
