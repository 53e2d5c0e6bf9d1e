"""The certificate as one self-contained HTML page that prints on one side of A4: nothing is loaded from elsewhere, nothing needs a script."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import jinja2

from tasks.deid.certificate.facts import Certificate, Held

#: What one page has room for; the rest is summed in a last row, and stands in full in certificate.json.
MOST_REASONS = 6
MOST_RULES = 9
MOST_MODALITIES = 4
_UNITS = ("studies", "series", "instances")
#: End → how it is called on the page. Series are counted only where the books count them: found and released.
_ENDS = {
    "found": "found",
    "not retrieved": "not retrieved",
    "waiting": "not yet done",
    "released": "released",
    "quarantined": "quarantined",
}


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: header cells, and rows whose first cell is a name and whose others are numbers."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def render(certificate: Certificate) -> bytes:
    """The page's bytes; the same certificate gives the same."""
    return (
        _template()
        .render(
            c=certificate,
            counts=_counts(certificate),
            held=_shown(certificate.held),
            more=len(certificate.held) > MOST_REASONS,
            actions=_actions(certificate),
            evidence=_evidence(certificate),
        )
        .encode()
    )


def number(n: int) -> str:
    """A count with thin spaces between thousands."""
    return f"{n:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _counts(certificate: Certificate) -> Grid:
    rows = tuple(
        (
            said,
            *(
                number(certificate.counts[unit].get(end, 0)) if unit != "series" or end in ("found", "released") else ""
                for unit in _UNITS
            ),
        )
        for end, said in _ENDS.items()
    )
    return Grid(("", *_UNITS), rows)


def _shown(held: tuple[Held, ...]) -> tuple[Held, ...]:
    if len(held) <= MOST_REASONS:
        return held
    rest = held[MOST_REASONS - 1 :]
    return (
        *held[: MOST_REASONS - 1],
        Held("others", f"{len(rest)} more reasons: see certificate.json", sum(each.instances for each in rest)),
    )


def _actions(certificate: Certificate) -> Grid:
    columns = tuple(sorted({action for actions in certificate.actions.values() for action in actions}))
    ordered = sorted(certificate.actions.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    shown, rest = (ordered, []) if len(ordered) <= MOST_RULES else (ordered[: MOST_RULES - 1], ordered[MOST_RULES - 1 :])
    rows = [(rule, *(_filled(actions.get(column, 0)) for column in columns)) for rule, actions in shown]
    if rest:
        rows.append(
            (f"{len(rest)} more rules", *(_filled(sum(actions.get(column, 0) for _, actions in rest)) for column in columns))
        )
    return Grid(("rule", *columns), tuple(rows))


def _evidence(certificate: Certificate) -> Grid:
    names = tuple(dict.fromkeys(name for counted in certificate.evidence.values() for name in counted))
    entries = list(certificate.evidence.items())
    shown, rest = (
        (entries, []) if len(entries) <= MOST_MODALITIES else (entries[: MOST_MODALITIES - 1], entries[MOST_MODALITIES - 1 :])
    )
    rows = [(modality, *(number(counted.get(name, 0)) for name in names)) for modality, counted in shown]
    if rest:
        rows.append((f"{len(rest)} more", *(number(sum(counted.get(name, 0) for _, counted in rest)) for name in names)))
    return Grid(("modality", *(name.replace("_", " ") for name in names)), tuple(rows))


def _filled(n: int) -> str:
    return number(n) if n else ""


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["number"] = number
    text = files("tasks.deid.certificate").joinpath("templates", "certificate.html").read_text("utf-8")
    return environment.from_string(text)
