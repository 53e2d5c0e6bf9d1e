"""Which levels of which attribute a table shows: each attribute for itself, crossed ones against their margins."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from tasks.evaluation.levels import CROSS
from tasks.evaluation.plan import NOT_DECLARED, NOT_STATED, Plan
from tasks.evaluation.suppression import ELSEWHERE, withheld, withheld_pairs


@dataclass
class Visible:
    """What is hidden of one table.

    Args:
        patients: attribute → level → patients, for every level of the attributes, crossed ones too.
        also: attribute → levels that are hidden for another reason, whatever their size here; `why` says which.
    """

    patients: Mapping[str, Mapping[str, int]]
    plan: Plan
    also: Mapping[str, Set[str]] = field(default_factory=dict)
    why: str = ELSEWHERE
    _hidden: dict[str, dict[str, str]] = field(default_factory=dict)

    def hidden(self, attribute: str) -> dict[str, str]:
        """The attribute's levels that are not shown, and why."""
        if attribute not in self._hidden:
            self._hidden[attribute] = self._pairs(attribute) if CROSS in attribute else self._levels(attribute)
        return self._hidden[attribute]

    def _levels(self, attribute: str) -> dict[str, str]:
        return withheld(
            self.patients[attribute], self.plan.minimum_cases, complementary=self.plan.complementary_suppression,
            also=self.also.get(attribute, frozenset()), why=self.why,
        )  # fmt: skip

    def names(self, attribute: str) -> dict[tuple[str, str], str]:
        """Pairs of declared levels, and what the crossed attribute calls them."""
        first, second = next(pair for pair in self.plan.intersections if CROSS.join(pair) == attribute)
        declared = {group.attribute: group.levels for group in self.plan.subgroups}
        return {(one, other): CROSS.join((one, other)) for one in declared[first] for other in declared[second]}

    def _pairs(self, attribute: str) -> dict[str, str]:
        plan, sizes = self.plan, self.patients[attribute]
        first, second = attribute.split(CROSS)
        names = self.names(attribute)
        elsewhere = self.also.get(attribute, frozenset())
        crossed, rest = withheld_pairs(
            {pair: sizes[name] for pair, name in names.items()},
            {name: n for name, n in sizes.items() if name in (NOT_STATED, NOT_DECLARED)},
            plan.minimum_cases,
            margins=(frozenset(self.hidden(first)), frozenset(self.hidden(second))),
            complementary=plan.complementary_suppression,
            also={pair for pair, name in names.items() if name in elsewhere} | (elsewhere & {NOT_STATED, NOT_DECLARED}),
            why=self.why,
        )
        return {names[pair]: why for pair, why in crossed.items()} | rest
