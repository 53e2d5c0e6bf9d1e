"""A model card is valid, says what the results say and nothing else, and shows each text as it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree
from markdown_it import MarkdownIt

from tasks.errors import SafelightError
from tasks.evaluation.analysis import analyse
from tasks.evaluation.results import Results
from tasks.inference.manifest import Manifest, parse
from tasks.report.markdown import plain
from tasks.report.model_card import NAMESPACE, NOT_STATED, model_card, shape
from tests.tasks.evaluation.cohorts import plan, tables
from tests.tasks.report import made
from tests.tasks.report.made_faces import CASES
from tests.tasks.report.made_schema import validator

ROOT = Path(__file__).parents[3]
HOME = {"m": NAMESPACE}


@cache
def manifest() -> Manifest:
    return parse((ROOT / "configs" / "models" / "demo_nodule" / "manifest.yaml").read_bytes(), "manifest.yaml")


@cache
def of_the_demo(**changes: str) -> Results:
    """The realistic results as those of the demo's model."""
    found, said = made.realistic(), manifest()
    declared = {"model_name": said.name, "model_version": said.version, "weights_sha256": said.weights.sha256, **changes}
    return found.model_copy(update={"provenance": found.provenance.model_copy(update=declared)})


@cache
def card(case: str) -> etree._Element:
    return etree.fromstring(model_card(getattr(made, case)()))


def texts(within: etree._Element, path: str) -> list[str]:
    return [found.text or "" for found in within.findall("/".join(f"m:{name}" for name in path.split("/")), HOME)]


def metrics(within: etree._Element, kind: str) -> dict[str, dict[str, object]]:
    place = f"KeyMetrics/{kind}/Results/MetricResult"
    return {
        label: json.loads(value)
        for label, value in zip(texts(within, f"{place}/Label"), texts(within, f"{place}/ValueJson"), strict=True)
    }


def shown(markdown: str) -> str:
    """The text that a reader sees, by another's CommonMark; tags of HTML that came through are kept."""
    return "".join(
        inner.content
        if inner.type in {"text", "code_inline", "html_inline"}
        else "\n"
        if inner.type == "softbreak"
        else f"<{inner.type}>"
        for token in MarkdownIt("commonmark").parse(markdown)
        for inner in (token.children or ([token] if token.content else []))
    )


# ---- form -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_every_card_is_valid(case: str) -> None:
    validator().validate(model_card(getattr(made, case)()).decode())


def test_a_card_with_a_manifest_and_statements_is_valid() -> None:
    said = {
        "BasicInfo/ModelDeveloper": "Safelight <team> & friends",
        "ReleaseInfo/RegulatoryApproval": "None",
        "Bibliography": "@misc{a}",
    }
    made_card = model_card(of_the_demo(), manifest(), said)
    validator().validate(made_card.decode())
    assert texts(etree.fromstring(made_card), "BasicInfo/ModelDeveloper") == ["Safelight <team> & friends"]


def test_the_validator_refuses_what_is_not_a_card() -> None:
    valid = model_card(made.realistic()).decode()
    broken = (
        valid.replace("<ModelName>m</ModelName>", ""),
        valid.replace("<ModelName>m</ModelName>", "<ModelName>m</ModelName><ModelName>m</ModelName>"),
        re.sub(r"(<ModelDeveloper>.*?</ModelDeveloper>)(\s*)(<DeveloperContact>.*?</DeveloperContact>)", r"\3\2\1", valid),
        valid.replace("<Bibliography />", "<Bibliography /><Verdict>good</Verdict>"),
        re.sub(r"<MetricResult>.*?</MetricResult>", "", valid, flags=re.DOTALL),
        valid.replace(NAMESPACE, NAMESPACE.replace("v0.2", "v0.1")),
    )
    assert all(text != valid for text in broken)
    assert not any(validator().is_valid(text) for text in broken)


def test_the_facts_are_derived_from_a_schema_by_the_script(tmp_path: Path) -> None:
    """The script that made the table, run on a schema of the same facts, makes the same table."""
    from tests.tasks.report.made_schema import schema

    standards = ROOT / "configs" / "standards"
    script = tmp_path / "derive_model_card.py"
    script.write_text((standards / "derive_model_card.py").read_text("utf-8"), "utf-8")
    (tmp_path / "schema.xsd").write_text(schema().replace('<xs:element name="AppliedModelCard" type="mc:AppliedModelCard"/>', (
        '<xs:element name="AppliedModelCard">' + re.search(r'<xs:complexType name="AppliedModelCard">(.*?)</xs:complexType>', schema())[0]  # type: ignore[index]
        .replace(' name="AppliedModelCard"', "") + "</xs:element>"
    )), "utf-8")  # fmt: skip
    subprocess.run([sys.executable, str(script), str(tmp_path / "schema.xsd")], check=True)
    name = "chai_applied_model_card_v0_2.csv"
    assert (tmp_path / name).read_bytes() == (standards / name).read_bytes()


def test_the_same_results_give_the_same_bytes_in_any_process() -> None:
    code = (
        "import sys; from tests.tasks.report import made; from tasks.report.model_card import model_card;"
        "sys.stdout.buffer.write(model_card(made.realistic()))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONPATH": str(ROOT)}
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT, env=environment).stdout
    assert there == model_card(made.realistic())


# ---- content ----------------------------------------------------------------------------------------------------------------


def test_numbers_are_those_of_the_results() -> None:
    overall, found = made.realistic().overall(), metrics(card("realistic"), "UsefulnessUsabilityEfficacy")
    for label, field in (("Sensitivity", "sensitivity"), ("Specificity", "specificity"), ("PPV", "ppv"), ("NPV", "npv")):
        value = getattr(overall, field)
        assert found[label]["unit"] == "%"
        assert found[label]["level"] == 95
        for key in ("estimate", "lower", "upper"):
            assert found[label][key] == pytest.approx(100 * getattr(value, key), abs=0.0501)
    assert found["AUC"]["estimate"] == pytest.approx(overall.auc.estimate, abs=0.000501)
    assert (found["Studies"]["value"], found["Patients"]["value"]) == (overall.studies, overall.patients)
    safety = metrics(card("realistic"), "SafetyReliability")
    assert safety["False negatives"]["value"] == overall.counts.fn
    assert safety["Not read, and not in the main analysis"]["value"] == 4


def test_every_shown_level_is_in_it_and_no_withheld_one() -> None:
    results, found = made.awkward(), metrics(card("awkward"), "FairnessEquity")
    shown_levels = [row for row in results.performance if row.attribute and not row.suppressed and row.auc.status == "estimated"]
    assert sum(label.startswith("AUC, ") for label in found) == len(shown_levels)
    hidden = [row.level for row in results.performance if row.suppressed]
    assert hidden
    assert not [label for label in found if any(shown(label).endswith(f": {level}") for level in hidden)]
    assert f"{len(hidden)} level" in texts(card("awkward"), "KeyMetrics/FairnessEquity/Interpretation")[0]


def test_a_harder_level_is_named_as_a_bias() -> None:
    (said,) = texts(card("realistic"), "Warnings/KnownBiasesOrEthicalConsiderations")
    assert "thick" in said
    assert "sex" not in said


def test_nothing_withheld_is_given_back() -> None:
    whole = "".join(card("nothing").itertext())
    for kind in ("UsefulnessUsabilityEfficacy", "FairnessEquity", "SafetyReliability"):
        assert "estimate_ci" not in "".join(texts(card("nothing"), f"KeyMetrics/{kind}/Results/MetricResult/ValueJson"))
    values = [
        found["value"]
        for kind in ("UsefulnessUsabilityEfficacy", "SafetyReliability")
        for found in metrics(card("nothing"), kind).values()
    ]
    assert values == ["withheld: fewer than 50 patients"] * 2  # no zero that nobody counted
    assert not re.search(r"\b4 stud", whole)


def test_what_nobody_stated_is_not_made_up() -> None:
    not_stated = {
        etree.QName(found).localname
        for found in etree.fromstring(model_card(of_the_demo(), manifest())).iter()
        if found.text == NOT_STATED
    }
    assert not_stated == {
        "ModelDeveloper", "DeveloperContact", "ReleaseStage", "ReleaseDate", "GlobalAvailability", "PrimaryIntendedUsers",
        "TargetedPatientPopulation", "ClinicalRiskLevel", "BiasMitigationApproaches", "OngoingMaintenance", "FundingSource",
        "StakeholdersConsulted", "PeerReviewedPublications", "PatientConsentOrDisclosure",
    }  # fmt: skip


def test_the_manifest_says_what_the_model_is() -> None:
    found = etree.fromstring(model_card(of_the_demo(), manifest()))
    system = "TrustIngredients/AISystemFacts"
    assert "For synthetic data only" in texts(found, "UsesAndDirections/CautionedOutOfScopeSettings")[0]
    assert "modality: CT" in texts(found, "UsesAndDirections/CautionedOutOfScopeSettings")[0]
    assert "SCT 27925004 Nodule" in texts(found, f"{system}/OutcomesAndOutputs")[0]
    assert "phantoms: 240" in texts(found, f"{system}/DevelopmentDataCharacterization")[0]
    assert "2.5, 2.5, 2.5 mm" in texts(found, f"{system}/OutputAndInputDataTypes")[0]
    assert texts(found, "ModelSummary/Keywords/Keyword") == ["nodule", "CT"]
    assert "Demonstration only" in texts(found, "ModelSummary/Summary")[0]


def test_goals_and_their_verdicts_are_in_it() -> None:
    asked = plan(
        endpoint="Sensitivity",
        goals=[{"metric": "sensitivity", "at_least": 0.9}, {"metric": "auc", "margin": 0.1, "subgroups": True}],
    )
    found = etree.fromstring(model_card(analyse(*tables(), asked)))
    (useful,) = texts(found, "KeyMetrics/UsefulnessUsabilityEfficacy/MetricGoal")
    assert useful.startswith("Sensitivity\n- All cases, sensitivity at least 0.9")
    assert "not met" in useful
    assert "less than 0.1 worse" in texts(found, "KeyMetrics/FairnessEquity/MetricGoal")[0]


# ---- what is refused --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["model_name", "model_version", "weights_sha256"])
def test_the_manifest_of_another_model_is_refused(field: str) -> None:
    with pytest.raises(SafelightError, match=r"E-REPORT-MODEL-CARD.*the manifest is that of another model: "):
        model_card(of_the_demo(**{field: "0" * 64}), manifest())


def test_a_manifest_that_does_not_know_the_finding_is_refused() -> None:
    with pytest.raises(SafelightError, match=r"E-REPORT-MODEL-CARD.*another model: finding"):
        model_card(of_the_demo().model_copy(update={"finding": "fracture"}), manifest())


@pytest.mark.parametrize(
    "path", ["Verdict", "BasicInfo", "BasicInfo/ModelName", "ModelSummary/Keywords/Keyword", "Warnings/KnownRisksAndLimitations"]
)
def test_nobody_states_what_there_is_not_or_what_the_evaluation_says(path: str) -> None:
    with pytest.raises(SafelightError, match="E-REPORT-MODEL-CARD"):
        model_card(made.realistic(), stated={path: "excellent"})


def test_results_that_contradict_themselves_make_no_card() -> None:
    with pytest.raises(SafelightError, match="E-REPORT-MISMATCH"):
        model_card(made.tampered(sensitivity=0.9808))


# ---- escapes ----------------------------------------------------------------------------------------------------------------


def test_a_text_of_the_plan_is_shown_as_it_is_and_does_nothing() -> None:
    results = made.awkward()
    (said,) = texts(card("awkward"), "UsesAndDirections/IntendedUseAndWorkflow")
    assert made.AWKWARD in shown(said)
    assert "\u202e" not in said
    for found in card("awkward").iter():
        kinds = {
            inner.type for token in MarkdownIt("commonmark").parse(found.text or "") for inner in (token, *(token.children or ()))
        }
        assert kinds <= {"inline", "text", "softbreak", "paragraph_open", "paragraph_close", "text_special"} | {
            f"{name}_{end}" for name in ("bullet_list", "list_item") for end in ("open", "close")
        }, (found.tag, kinds)
    assert results.title in shown(texts(card("awkward"), "Resources/EvaluationReferences")[0])


@example("# a")
@example("- a")
@example("+ a")
@example("12. a")
@example("1)")
@example("===")
@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp", "Zs"))
        | st.sampled_from(" #-+=*_`<>&[]()!|~\\1.)"),
        max_size=40,
    )
)
def test_any_text_is_shown_as_it_is(text: str) -> None:
    assert shown(plain(text)) == " ".join(text.split())


def test_characters_that_xml_has_not_are_replaced_and_others_kept() -> None:
    said = model_card(made.realistic(), stated={"BasicInfo/ModelDeveloper": "a\x00b\x0b\ud800\uffff\tc\n- d 😀"})
    assert texts(etree.fromstring(said), "BasicInfo/ModelDeveloper") == ["a\ufffdb\ufffd\ufffd\ufffd\tc\n- d 😀"]


def test_the_shape_is_the_schemas() -> None:
    assert len(shape()) == 80
    assert [each.path for each in shape() if "/" not in each.path] == [
        "BasicInfo", "ReleaseInfo", "ModelSummary", "UsesAndDirections", "Warnings", "TrustIngredients", "KeyMetrics", "Resources", "Bibliography",
    ]  # fmt: skip
