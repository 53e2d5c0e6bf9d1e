"""What the report says in a few sentences, and in words that need no statistics."""

from __future__ import annotations

from tasks.report.blocks import Block, Items, Paragraph, Section
from tasks.report.numbers import Text, text
from tasks.report.sections.acceptance import verdict_in_short
from tasks.report.subject import FEW, Subject, estimable
from tasks.report.wording import OF_THOUSAND, noun

_HISTORY = {
    True: "The plan was changed after the reference standard had first been opened: what was decided then may have been decided by it.",
    False: "The plan is the one under which the reference standard was first opened.",
    None: "Nobody kept a register of when the reference standard was opened: whether the plan was changed after that is not known.",
}


def section(report: Subject) -> Section:
    """Intended use and endpoint, the main numbers with their intervals, acceptance, what became of the plan, and a thousand examinations."""
    results, of, whole = report.results, report.numbers, ("performance", report.whole)
    overall = results.overall()
    blocks: list[Block] = [Paragraph(f"Intended use: {results.intended_use}")]
    if results.endpoint:
        blocks.append(Paragraph(f"Primary endpoint: {results.endpoint}"))
    if not estimable(overall):
        return Section("summary", "Summary", (*blocks, Paragraph(FEW, emphasis=True)))
    said = text(
        "In ", of.count((*whole, "studies")), f" {noun(overall.studies, 'study')} of ", of.count((*whole, "patients")),
        f" {noun(overall.patients, 'patient')} (", of.count((*whole, "positives")), " studies with the finding), the area under the ROC curve was ",
        of.estimate(*whole, "auc"), ". At the operating point (a score of at least ", of.of("general", ("threshold",)), "), sensitivity was ",
        of.estimate(*whole, "sensitivity"), " and specificity ", of.estimate(*whole, "specificity"), ". Numbers in parentheses are ",
        of.of("percent", ("confidence",)), " intervals.",
    )  # fmt: skip
    blocks.append(Paragraph(said, emphasis=True))
    if results.goals:
        blocks.append(Paragraph(verdict_in_short(report), emphasis=True))
    changed = results.plan_history.changed
    blocks.append(Paragraph(_HISTORY[changed], emphasis=bool(changed)))
    plain = _plain(report)
    if plain:
        blocks += [Paragraph("In plain words:"), Items(tuple(plain))]
    return Section("summary", "Summary", tuple(blocks))


def _plain(report: Subject) -> list[Text]:
    """What happens to a thousand examinations, at the data's own prevalence and at each stated one."""
    made, of = [], report.numbers
    for place, row in enumerate(report.results.predictive):
        if row.attribute or row.per_thousand is None:
            continue
        cell = {name: of.of(f"{name} of 1,000", ("predictive", place, "per_thousand")) for name in OF_THOUSAND}
        finding = f" of a thousand examinations show the finding ({report.results.finding})"
        those = (
            ("In these data ", cell["positives"], f"{finding}. ") if row.own else ("Where ", cell["positives"], f"{finding}: ")
        )
        made.append(text(
            *those, "The model " if row.own else "the model ", "notices ", cell["tp"], " of them and misses ", cell["fn"], ". Of the other ",
            cell["negatives"], ", it raises a false alarm in ", cell["fp"], " and rightly none in ", cell["tn"], ".",
        ))  # fmt: skip
    return made
