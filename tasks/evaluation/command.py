"""`safelight evaluate`: a model's performance per subgroup from plain files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data_contracts.metrics import CONTRACT as METRICS
from tasks.console import DONE, INCOMPLETE, one_sentence, say
from tasks.errors import ConfigurationError
from tasks.evaluation import output
from tasks.evaluation.analysis import analyse
from tasks.evaluation.openings import note_in_file
from tasks.evaluation.plan import load_plan
from tasks.evaluation.results import Estimate, Performance, Results, Role
from tasks.evaluation.tables import read_table
from tasks.evaluation.threshold import operating_point
from tasks.lake import write_sorted


def evaluate(
    predictions: Annotated[Path, typer.Option(help="Scores by StudyInstanceUID: .parquet, .csv or a folder of .parquet parts.")],
    reference: Annotated[Path, typer.Option(help="Labels (1, 0, or empty) by StudyInstanceUID.")],
    cohort: Annotated[Path, typer.Option(help="PatientID and attributes by StudyInstanceUID.")],
    plan: Annotated[str, typer.Option(help="The evaluation plan: a file, or the name of one in configs/plans.")],
    out: Annotated[Path, typer.Option(help="The folder for results.json and the CSV tables; made where it is missing.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="Where the plan's threshold is `manifest`: the bundle to ask, by a path with a slash. Default: the plan's."
        ),
    ] = None,
    register: Annotated[
        Path | None,
        typer.Option(help="Where it is noted under which plan the reference was first opened. Default: openings.json in OUT."),
    ] = None,
    marks: Annotated[
        Path | None,
        typer.Option(help="Of a detection device: score and lesion (empty for a false positive) by StudyInstanceUID."),
    ] = None,
    lesions: Annotated[
        Path | None, typer.Option(help="With --marks: every lesion of the reference, by StudyInstanceUID.")
    ] = None,
    role: Annotated[Role | None, typer.Option(help="Who runs this, by role; printed in the report.")] = None,
    year: Annotated[
        int | None,
        typer.Option(
            min=1900, max=9999, help="The year of the evaluation, to be printed in the report; no date is taken by itself."
        ),
    ] = None,
) -> None:
    """Measure a model in every subgroup that the plan declares, with intervals over patients.

    Writes OUT/results.json, one CSV a table, and every number of the table as metrics.parquet.
    Ends with 1 where the model left cases unread that have a reference standard.

    Example:

        safelight evaluate --predictions predictions.csv --reference reference.csv --cohort cohort.csv --plan plan.yaml --out out
    """
    with one_sentence():
        wanted = load_plan(plan)
        point = operating_point(wanted, model)
        scores, people = read_table(predictions, "predictions", wanted), read_table(cohort, "cohort", wanted)
        if wanted.comparator is None:
            scores = point.applies_to(scores)
        history = None
        if reference.exists():  # noted before it is read
            history = note_in_file(_made(out) / "openings.json" if register is None else register, wanted, point.threshold)
        labels = read_table(reference, "reference", wanted)
        found, truth = (
            None if path is None else read_table(path, what) for path, what in ((marks, "marks"), (lesions, "lesions"))
        )  # fmt: skip
        results = analyse(
            scores, labels, people, wanted, threshold=point.threshold, history=history, marks=found, lesions=truth, role=role, year=year
        )  # fmt: skip
        write(results, out)
        overall, worst = results.overall(), results.worst_case
        unread = worst.studies - overall.studies
        say(_summary(overall, results))
        for line in results.limitations:
            say(f"  {line}")
        say(f"Look here: {out / 'results.json'}")
        raise typer.Exit(INCOMPLETE if unread or (worst.suppressed and not overall.suppressed) else DONE)


def _made(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError:
        raise ConfigurationError("E-EVAL-OUTPUT", str(out)) from None
    return out


def write(results: Results, out: Path) -> None:
    """Write the CSV tables, `metrics.parquet` and results.json into a folder, each by one rename, results.json last.

    Raises:
        ConfigurationError: E-EVAL-OUTPUT with the folder.
    """
    made = output.files(results)
    try:
        _made(out)
        rows = METRICS.validate(output.metrics(results))
        write_sorted(rows, out / ".metrics.parquet.part", [])
        (out / ".metrics.parquet.part").replace(out / "metrics.parquet")
        for name in sorted(made, key=lambda name: name == "results.json"):
            scratch = out / f".{name}.part"
            scratch.write_bytes(made[name])
            scratch.replace(out / name)
    except OSError:
        raise ConfigurationError("E-EVAL-OUTPUT", str(out)) from None


def _summary(overall: Performance, results: Results) -> str:
    excluded = sum(row.studies for row in results.excluded)
    return (
        f"evaluate: {overall.studies} studies of {overall.patients} patients analysed, {excluded} excluded · "
        f"AUC {_short(overall.auc)} · sensitivity {_short(overall.sensitivity)} · specificity {_short(overall.specificity)}"
    )


def _short(estimate: Estimate) -> str:
    if estimate.estimate is None:
        return f"not estimable ({estimate.reason})"
    return f"{estimate.estimate:.3f} ({estimate.lower:.3f}-{estimate.upper:.3f})"
