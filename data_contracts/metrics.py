"""Every number of an evaluation, one a row."""

import pyarrow as pa

from data_contracts.contract import Column, Contract

METRICS = ("sensitivity", "specificity", "ppv", "npv", "auc", "prevalence", "lr_positive", "lr_negative")

CONTRACT = Contract(
    name="metrics",
    meaning="Plan × attribute × level × metric: an estimate with its interval over patients, or the reason why there is none.",
    columns=(
        Column("plan_name", pa.string(), "The evaluation plan."),
        Column("plan_sha256", pa.string(), "Hash of what the plan says.", pattern=r"[0-9a-f]{64}"),
        Column("model_name", pa.string(), "The model that was evaluated."),
        Column("model_version", pa.string(), "Its version; empty where the predictions do not say."),
        Column("finding", pa.string(), "The finding that was looked for."),
        Column("threshold", pa.float64(), "A score at or above it is a positive reading."),
        Column("attribute", pa.string(), "The cohort's attribute; empty for all cases."),
        Column("level", pa.string(), "The level; empty for all cases, and `worst case` where unread cases count as errors."),
        Column("metric", pa.string(), "What was measured.", allowed=METRICS),
        Column("status", pa.string(), "Whether there is a number.", allowed=("estimated", "not_estimable")),
        Column("estimate", pa.float64(), "The estimate; a share from 0 to 1, and a ratio for likelihood ratios.", nullable=True, minimum=0),
        Column("lower", pa.float64(), "Lower bound of its interval.", nullable=True, minimum=0),
        Column("upper", pa.float64(), "Upper bound of its interval.", nullable=True, minimum=0),
        Column("confidence", pa.float64(), "Confidence of the interval.", minimum=0, maximum=1),
        Column("effective_n", pa.float64(), "The sample size of the interval of a proportion.", nullable=True, minimum=0),
        Column("standard_error", pa.float64(), "Standard error of the interval, on its scale.", nullable=True, minimum=0),
        Column(
            "scale", pa.string(), "Scale of the standard error: of the estimate, its logarithm or its logit.", nullable=True,
            allowed=("identity", "log", "logit"),
        ),
        Column("method", pa.string(), "How the interval was made; empty where there is none."),
        Column("reason", pa.string(), "Why there is no number; empty where there is one."),
        Column("patients", pa.int64(), "Patients of the level; null where the level is suppressed.", nullable=True, minimum=0),
        Column("studies", pa.int64(), "Studies of the level; null where the level is suppressed.", nullable=True, minimum=0),
        Column("suppressed", pa.bool_(), "The level has cases, but too few patients to show."),
    ),
    key=("plan_name", "attribute", "level", "metric"),
)  # fmt: skip
