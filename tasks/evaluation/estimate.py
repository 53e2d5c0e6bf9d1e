"""One number of the results: an estimate with its interval, and what the interval was made of."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A part of `results.json`: nothing but what is declared, and nothing that is not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Scale = Literal["identity", "log", "logit", "square"]


class Estimate(Part):
    """A number with its interval, or the reason why there is none: never a silent zero.

    What the interval was made of, where `method` has such a thing, so that it can be made again from what is published:

    Args:
        effective_n: the sample size that stood for the cases in the interval of a proportion (Wilson's and the others' by name).
        standard_error: the interval is estimate ± quantile · standard_error, on `scale`, before it is held to what the number can be.
        scale: on which that is so: of the number itself, its logarithm, its logit, or its square; None without a standard error.
        freedom: of Student's t, or of chi-squared where there is no standard error; None where the quantile is the normal one.
        groups: patients with and without the finding, as Newcombe's score-type interval of an AUC took them.
    """

    status: Literal["estimated", "not_estimable"]
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    confidence: float = Field(gt=0, lt=1)
    method: str = ""
    reason: str = ""
    effective_n: float | None = Field(None, gt=0)
    standard_error: float | None = Field(None, ge=0)
    scale: Scale | None = None
    freedom: float | None = Field(None, gt=0)
    groups: tuple[int, int] | None = None
