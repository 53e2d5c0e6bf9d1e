"""Where the seeds of phantoms come from, so that a phantom a network was trained on is never one of the cohort.

The purposes differ in the first word of the spawn key of numpy's `SeedSequence`, which is mixed into every state that is
derived. So no choice of numbers can make a cohort's phantom equal to a training phantom, which a split of one range of
integers could not promise.
"""

from __future__ import annotations

import numpy as np

COHORT, TRAINING, IDENTITY = 0xC0, 0x7A, 0x1D
"""First word of the spawn key: what is drawn."""


def phantom_seed(cohort_seed: int, patient: int) -> np.random.SeedSequence:
    """The seed of a patient's chest in the cohort made from `cohort_seed`; all studies of the patient share it."""
    return _seed(cohort_seed, (COHORT, patient))


def identity_seed(cohort_seed: int, *patient: int) -> np.random.SeedSequence:
    """The seed of a patient's identity, or without a patient of the plan of the cohort."""
    return _seed(cohort_seed, (IDENTITY, *patient))


def training_seed(seed: int, number: int) -> np.random.SeedSequence:
    """The seed of a phantom to train or tune a network on."""
    return _seed(seed, (TRAINING, number))


def _seed(entropy: int, key: tuple[int, ...]) -> np.random.SeedSequence:
    # Longer entropy would run into the words of the spawn key.
    if not 0 <= entropy < 2**128:
        raise ValueError("a seed is a number from 0 to 2**128 - 1")
    return np.random.SeedSequence(entropy, spawn_key=key)
