"""Parts of the results about the studies themselves: whether groups of them are alike, how soon they had a result, which were read wrongly."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.evaluation.estimate import Estimate, Part


class LevelCounts(Part):
    """Studies of one level in two groups."""

    level: str
    first: int = Field(ge=0)
    second: int = Field(ge=0)


class StandardizedDifference(Part):
    """How far two groups of studies differ in an attribute, in pooled standard deviations: never negative, 0 where they are alike.

    `comparison` says which groups: studies with and without the finding, or analysed and excluded ones. `levels` has their counts, and none
    where `reason` says why there is no number.
    """

    attribute: str
    comparison: Literal["finding", "excluded"]
    levels: tuple[LevelCounts, ...] = ()
    difference: float | None = Field(None, ge=0)
    reason: str = ""


class TimeToResult(Part):
    """From the studies being complete to their results, for one service level of the model.

    `reached` came in time, `missed` late, `overdue` is late and has not come; `share` is reached over these three, which alone were owed.
    `pending` still has time, `not_read` the model will not read, `backfill` was complete before the model began to read. `median_minutes`
    and `p90_minutes` are over what was owed, where a result that has not come is later than any; None where that makes the quantile unknown.
    `suppressed` as in `Performance`.
    """

    target: str
    target_minutes: float | None = None
    patients: int = Field(ge=0)
    studies: int = Field(ge=0)
    reached: int = Field(ge=0)
    missed: int = Field(ge=0)
    overdue: int = Field(ge=0)
    pending: int = Field(ge=0)
    not_read: int = Field(ge=0)
    backfill: int = Field(ge=0)
    share: Estimate
    median_minutes: float | None = Field(None, ge=0)
    p90_minutes: float | None = Field(None, ge=0)
    suppressed: bool = False


class FailedCase(Part):
    """A study that was read wrongly. `study` is its key in the lake, `distance` by how much its score lies beyond the threshold.

    `image` is the lake path of its key image, which `alternative` puts in words; where there is none, `no_image` says why.
    """

    kind: Literal["false_negative", "false_positive"]
    study: str
    score: float
    distance: float = Field(ge=0)
    image: str = ""
    alternative: str = ""
    no_image: str = ""
