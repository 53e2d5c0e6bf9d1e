"""The parts of `results.json` about masks, measurements, repeated measurements and readers.

Rows are those of the table of performance: all cases (`attribute` empty), then every level. `suppressed`: the level has too few patients
in this table to be shown, or is hidden in that of performance; its counts are zero and nothing is estimated.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.evaluation.estimate import Estimate, Part

Generalized = Literal["readers_and_cases", "cases", "readers"]


class Given(Part):
    """A further table that was given, and where its rows went: `rows` is the sum of the other counts.

    Args:
        sha256: of its content.
        used: rows in the analysis.
        unknown: of no study of the other tables, or of no known patient.
        not_in_plan: of a structure, measurement or modality that the plan does not name.
        unusable: without the numbers that are needed, or left out with what they belong to (a case that not every reader read, say).
    """

    name: Literal["overlaps", "measurements", "readings"]
    sha256: str
    rows: int = Field(ge=0)
    used: int = Field(ge=0)
    unknown: int = Field(ge=0)
    not_in_plan: int = Field(ge=0)
    unusable: int = Field(ge=0)


class DensityCell(Part):
    """A cell of a Bland-Altman plot: from (included) to (not) on either axis. Cells of fewer patients than `minimum_cases` are left out."""

    mean: tuple[float, float]
    difference: tuple[float, float]
    patients: int = Field(ge=1)
    cases: int = Field(ge=1)


class Limits(Part):
    """Bland and Altman: the mean of the differences, measured minus reference, their SD, and the limits that hold 95 % of them."""

    bias: Estimate
    sd: float | None
    lower: Estimate
    upper: Estimate


class Segmented(Part):
    """Masks of a structure against their references. Distances in mm, volumes in ml.

    `one_empty`: cases in which one of both masks is empty, which have no distances; in `both_empty` there is no Dice either.
    Means are over cases, with intervals over patients. `density` is of volumes, in all cases alone.
    """

    attribute: str
    level: str
    structure: str
    patients: int = Field(ge=0)
    cases: int = Field(ge=0)
    one_empty: int = Field(ge=0)
    both_empty: int = Field(ge=0)
    dice: Estimate
    surface_dice: Estimate
    mean_distance: Estimate
    hausdorff: Estimate
    hausdorff_95: Estimate
    volumes: Limits
    density: tuple[DensityCell, ...] = ()
    suppressed: bool = False


class Agreed(Part):
    """Measured values against reference values, in `unit`; the line is Deming's: measured = intercept + slope · reference."""

    attribute: str
    level: str
    measurement: str
    unit: str
    patients: int = Field(ge=0)
    cases: int = Field(ge=0)
    mean_absolute_error: Estimate
    root_mean_square_error: Estimate
    limits: Limits
    slope: Estimate
    intercept: Estimate
    density: tuple[DensityCell, ...] = ()
    suppressed: bool = False


class Repeated(Part):
    """Repeated measurements of the same thing: within-subject SD and repeatability coefficient in `unit`, CV in per cent.

    Patients and measurements are those of things that were measured at least twice; `freedom` is the sum of measurements - 1 over them.
    """

    attribute: str
    level: str
    measurement: str
    unit: str
    patients: int = Field(ge=0)
    measurements: int = Field(ge=0)
    freedom: int = Field(ge=0)
    wsd: Estimate
    coefficient: Estimate
    cv_percent: Estimate
    suppressed: bool = False


class ReaderFigure(Part):
    """One reader in one modality. Readers are numbered from 1 in the order of their names, which are not told."""

    modality: str
    reader: int = Field(ge=1)
    value: float


class ModalityMean(Part):
    """A modality's figure, averaged over readers, with the interval of one generalization."""

    generalized: Generalized
    modality: str
    figure: Estimate


class ReaderTest(Part):
    """The global test of equal modalities: F, or chi-squared divided by nothing where the second freedom is None."""

    generalized: Generalized
    statistic: float
    freedom: tuple[float, float | None]
    p: float = Field(ge=0, le=1)


class ModalityDifference(Part):
    """One modality minus another. `non_inferior`: the interval lies wholly above minus the margin; `p` is of no difference."""

    generalized: Generalized
    first: str
    second: str
    difference: Estimate
    p: float = Field(ge=0, le=1)
    margin: float
    non_inferior: bool


class ReaderStudy(Part):
    """A reader study in all cases or one level: Obuchowski and Rockette's analysis with Hillis' degrees of freedom.

    `incomplete`: cases with a reference standard that not every reader read in every modality; they are left out, and counted in the row of
    all cases alone. `mean_squares` are of
    modality, reader and their interaction; variance and covariances those of the figures' errors. `reason` says why there is nothing.
    """

    attribute: str
    level: str
    figure: Literal["auc", "sensitivity", "specificity"]
    covariance: str
    readers: int = Field(ge=0)
    patients: int = Field(ge=0)
    cases: int = Field(ge=0)
    positives: int = Field(ge=0)
    incomplete: int | None = Field(None, ge=0)
    figures: tuple[ReaderFigure, ...] = ()
    means: tuple[ModalityMean, ...] = ()
    tests: tuple[ReaderTest, ...] = ()
    differences: tuple[ModalityDifference, ...] = ()
    mean_squares: tuple[float | None, float | None, float | None] = (None, None, None)
    variance: float | None = None
    covariances: tuple[float | None, float | None, float | None] = (None, None, None)
    reason: str = ""
    suppressed: bool = False
