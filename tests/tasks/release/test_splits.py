"""No person is in two splits, whatever the order, the merges and what comes later; shares and strata are kept to."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import ConfigurationError
from tasks.release.merges import Persons, read_pairs
from tasks.release.splits import assign, parse_splits
from tests.tasks.release.made import patient

SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}
PEOPLE = st.dictionaries(
    st.integers(0, 400).map(patient), st.tuples(st.sampled_from("FM"), st.sampled_from("abc"), st.sampled_from("xy")), max_size=60
)
PAIRS = st.lists(st.tuples(st.integers(0, 40).map(patient), st.integers(0, 40).map(patient)), max_size=40)


@settings(max_examples=40)
@given(PAIRS, st.randoms())
def test_persons_are_the_connected_components_of_the_pairs_in_any_order(pairs: list[tuple[str, str]], shuffler) -> None:
    persons = Persons(pairs)
    graph = nx.Graph(pairs)
    for component in nx.connected_components(graph):
        assert {persons.of(each) for each in component} == {min(component)}
    shuffler.shuffle(pairs)
    again = Persons([(other, one) for one, other in pairs])
    assert {each: again.of(each) for each in graph} == {each: persons.of(each) for each in graph}
    assert persons.of("SL-ZZZZZZZZZZZZ") == "SL-ZZZZZZZZZZZZ"


@settings(max_examples=40)
@given(PEOPLE, st.integers(), st.randoms())
def test_splits_depend_on_no_order_and_every_person_has_one(people: dict[str, tuple[str, ...]], seed: int, shuffler) -> None:
    first = assign(people, SHARES, seed, {})
    assert first.splits.keys() == people.keys()
    assert set(first.splits.values()) <= set(SHARES)
    order = list(people.items())
    shuffler.shuffle(order)
    assert assign(dict(order), SHARES, seed, {}) == first


@settings(max_examples=40)
@given(PEOPLE, st.integers(0, 9))
def test_the_whole_and_every_stratum_of_enough_persons_are_near_their_shares(
    people: dict[str, tuple[str, ...]], seed: int
) -> None:
    made = assign(people, SHARES, seed, {})
    whole = Counter(made.splits.values())
    for name, share in SHARES.items():
        assert abs(whole[name] - share * len(people)) < 2
    for stratum, n in Counter(people.values()).items():
        part = Counter(made.splits[person] for person, is_like in people.items() if is_like == stratum)
        for name, share in SHARES.items():
            assert n < made.minimum or abs(part[name] - share * n) < 3


@settings(max_examples=40)
@given(PEOPLE, PEOPLE, st.integers(0, 9), st.integers(0, 9))
def test_who_comes_later_moves_nobody(
    people: dict[str, tuple[str, ...]], later: dict[str, tuple[str, ...]], seed: int, other: int
) -> None:
    first = assign(people, SHARES, seed, {})
    second = assign(people | later, SHARES, other, first.splits)
    assert {person: second.splits[person] for person in people} == first.splits


@settings(max_examples=40)
@given(PEOPLE)
def test_strata_that_are_too_small_are_joined_and_counted(people: dict[str, tuple[str, ...]]) -> None:
    made = assign(people, SHARES, 0, {})
    small = {stratum for stratum, n in Counter(people.values()).items() if n < made.minimum}
    assert made.minimum == 7  # of fewer than 1 / 0.15 nobody can be in every split
    assert made.small_strata == len(small)
    assert made.small_persons == sum(is_like in small for is_like in people.values())


def test_many_small_strata_still_give_the_shares() -> None:
    people = {patient(n): (f"level {n}",) for n in range(200)}
    counted = Counter(assign(people, SHARES, 0, {}).splits.values())
    assert counted == {"train": 140, "validation": 30, "test": 30}


def test_another_seed_gives_other_splits() -> None:
    people = {patient(n): ("F",) for n in range(100)}
    assert assign(people, SHARES, 1, {}).splits != assign(people, SHARES, 2, {}).splits


@pytest.mark.parametrize(
    "text", ["train=0.7", "train=0.7,train=0.3", "train=1.2,test=-0.2", "Train=1", "train=x", "", "a=0.5,b=nan"]
)
def test_splits_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="E-RELEASE-SPLITS"):
        parse_splits(text)


def test_splits_are_read_in_their_order() -> None:
    assert list(parse_splits("train=0.7, validation=0.15, test=0.15").items()) == list(SHARES.items())
    assert parse_splits("everything=1") == {"everything": 1.0}


def test_pairs_are_keys_of_the_lake(tmp_path: Path) -> None:
    file = tmp_path / "merges.csv"
    file.write_text(f"PatientID,same_as\n{patient(2)},{patient(1)}\n{patient(1)},{patient(2)}\n", "utf-8")
    assert read_pairs(file) == [tuple(sorted((patient(1), patient(2))))]
    for wrong in (
        f"PatientID,same_as\n{patient(2)},4711\n",
        f"PatientID,other\n{patient(2)},{patient(1)}\n",
        f"PatientID,same_as\n{patient(1)},\n",
    ):
        file.write_text(wrong, "utf-8")
        with pytest.raises(ConfigurationError, match="E-RELEASE-MERGES") as told:
            read_pairs(file)
        assert "4711" not in str(told.value)
    with pytest.raises(ConfigurationError, match="E-RELEASE-MERGES"):
        read_pairs(tmp_path / "none.csv")
