"""Where the cases came from and what they are: worst case, baseline table, the night's stages, further operating points."""

from __future__ import annotations

from tasks.evaluation.of_cases import StandardizedDifference
from tasks.evaluation.results import AtPoint, Results
from tasks.report.checks.holding import close, hold, mismatch, named, place
from tasks.report.checks.rows import check_row, check_table
from tasks.report.checks.spread import distance


def check_cases(results: Results) -> None:
    """The tables of one evaluation against each other."""
    check_table(results.performance, results)
    check_row(results.worst_case, results, "worst case")
    _check_worst_case(results)
    hold(not results.worst_case.attribute and not results.worst_case.level, "worst case", "it is not a row of all cases")
    _check_baseline(results)
    _check_flow(results)
    for point in results.operating_points:
        _check_point(point, results)
    for row in results.standardized_differences:
        _check_standardized(row, results)


def _check_worst_case(results: Results) -> None:
    """What was not read can only add errors: as many right readings as in the main analysis, no fewer wrong ones.

    Where the plan takes unread cases into the main analysis as readings, they are in both, and some of its right readings are errors here.
    """
    overall, worst = results.overall(), results.worst_case
    if any(row.suppressed or row.cells_withheld for row in (overall, worst)):
        return
    before, after = overall.counts, worst.counts
    same = (before.tp, before.tn) == (after.tp, after.tn)
    fewer = worst.studies == overall.studies and before.tp >= after.tp and before.tn >= after.tn
    hold(same or fewer, "worst case", "right readings")
    hold(before.fn <= after.fn and before.fp <= after.fp, "worst case", "wrong readings")
    unread, left = worst.studies - overall.studies, sum(row.studies for row in results.excluded)
    hold(unread <= left, "worst case", "more studies were not read than were excluded")
    # Unread cases that the plan takes in as readings are in both tables.
    hold(
        results.unscored <= overall.studies and (not results.unscored or not unread),
        "worst case",
        "unread cases of the main table",
    )
    hold(worst.patients >= overall.patients, "worst case", "patients")


def _check_baseline(results: Results) -> None:
    rows = {(row.attribute, row.level): row for row in results.performance}
    for level in results.baseline:
        row = rows.get((level.attribute, level.level))
        where = named(level.attribute, level.level)
        if row is None:
            raise mismatch(where, "it is in the baseline table only")
        for field in ("patients", "studies", "positives", "suppressed"):
            hold(getattr(level, field) == getattr(row, field), where, f"{field} of the baseline table")


def _check_flow(results: Results) -> None:
    """No stage accounts for more than the one before it handed on; studies under way may make it fewer."""
    ends = [(row.stage, row.outcome, row.n) for row in results.accountability if row.unit == "instance"]
    for giver, outcome, receiver in (("pull", "pulled", "deidentify"), ("deidentify", "released", "volumes")):
        given = sum(n for stage, end, n in ends if (stage, end) == (giver, outcome))
        received = sum(n for stage, _, n in ends if stage == receiver)
        hold(received <= given or not any(stage == giver for stage, _, _ in ends), receiver, "more instances than it was given")


def _check_point(point: AtPoint, results: Results) -> None:
    """A further operating point: the same cases and scores, and fewer positive readings the higher its threshold."""
    prefix = f"operating point {point.name}: "
    check_table(point.performance, results, prefix)
    main = {(row.attribute, row.level): row for row in results.performance}
    hold(len(main) == len(point.performance), f"{prefix}subgroups", "other levels than those of the main table")
    for row in point.performance:
        same, where = main.get((row.attribute, row.level)), prefix + place(row)
        if same is None:
            raise mismatch(where, "it is not in the main table")
        for field in ("patients", "studies", "positives", "negatives", "suppressed", "auc", "prevalence"):
            hold(getattr(row, field) == getattr(same, field), where, f"{field}: another than in the main table")
        for name in ("tp", "fp"):
            here, there = getattr(row.counts, name), getattr(same.counts, name)
            fits = here <= there if point.threshold > results.threshold else here >= there
            hidden = row.suppressed or row.cells_withheld or same.cells_withheld
            hold(fits or hidden, where, f"{name}: the readings do not follow the threshold {point.threshold:g}")


def _check_standardized(row: StandardizedDifference, results: Results) -> None:
    """A standardised difference follows from its counts, and these are the table's."""
    where = f"{row.attribute}: standardised difference ({row.comparison})"
    if row.difference is None:
        hold(bool(row.reason), where, "there is neither a number nor a reason")
    else:
        found = distance([level.first for level in row.levels], [level.second for level in row.levels])
        hold(not row.reason and close(row.difference, found), where, "it does not follow from its counts")
    levels = {level.level: level for level in results.performance if level.attribute == row.attribute}
    for each in row.levels:
        level = levels.get(each.level)
        if level is None:
            hold(row.comparison == "excluded" and each.first == 0, where, f"{each.level}: it is not in the table")
            continue
        first, second = (level.positives, level.negatives) if row.comparison == "finding" else (level.studies, each.second)
        hold(
            (each.first, each.second) == (first, second) and not level.suppressed,
            where,
            f"{each.level}: other counts than the table's",
        )
    if row.levels and row.comparison == "excluded":
        left = sum(level.studies for level in results.excluded)
        hold(sum(each.second for each in row.levels) == left, where, "the levels of the excluded studies do not add up")
