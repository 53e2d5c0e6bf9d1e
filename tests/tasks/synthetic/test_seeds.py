"""No number can make a training phantom equal to one of the cohort."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.synthetic.seeds import COHORT, IDENTITY, TRAINING, identity_seed, phantom_seed, training_seed


def test_training_cohort_and_identities_differ_in_the_first_word_of_the_spawn_key() -> None:
    assert len({COHORT, TRAINING, IDENTITY}) == 3
    assert phantom_seed(7, 3).spawn_key[0] == COHORT
    assert training_seed(7, 3).spawn_key[0] == TRAINING
    assert identity_seed(7, 3).spawn_key[0] == IDENTITY


def test_the_same_numbers_give_other_states_for_another_purpose() -> None:
    states = set()
    for number in range(50):
        for seed in (phantom_seed(7, number), training_seed(7, number), identity_seed(7, number), np.random.SeedSequence(number)):
            states.add(tuple(seed.generate_state(4).tolist()))
    assert len(states) == 200


@pytest.mark.parametrize("seed", [-1, 2**128])
def test_a_seed_that_could_run_into_the_spawn_key_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="2\\*\\*128"):
        phantom_seed(seed, 0)
