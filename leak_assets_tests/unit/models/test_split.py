"""Grouped split: a property, not an example."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leak_assets.models.split import grouped_split, split_frame


def _scenarios(batches: int, per_batch: int, leak_every: int) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "scenario_id": f"n/b{b:03d}/s{s:03d}",
                "batch": f"b{b:03d}",
                "is_leak": s % leak_every == 0,
            }
            for b in range(batches)
            for s in range(per_batch)
        ]
    )


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(6, 9),
    st.integers(2, 3),
    st.integers(0, 5),
    st.sampled_from([0.1, 0.2, 0.3]),
)
def test_every_scenario_stands_in_exactly_one_set(
    batches: int, per_batch: int, leak_every: int, seed: int, share: float
) -> None:
    """No scenario in two sets, none lost; with five towns or more no town in two sets."""
    table = _scenarios(batches, per_batch, leak_every)
    split = grouped_split(table, validation=share, test=share, seed=seed)
    members = [name for group in split.sets.values() for name in group]
    assert sorted(members) == sorted(table["scenario_id"])
    assert all(split.sets.values())
    if batches >= 5:
        towns = [{name.rsplit("/", 1)[0] for name in group} for group in split.sets.values()]
        assert sum(len(t) for t in towns) == len(set.union(*towns))


def test_scenario_split_is_stratified_by_leak() -> None:
    """One town: leaks and non-leaks have the same shares in all sets."""
    table = _scenarios(1, 40, 2)
    split = grouped_split(table, validation=0.2, test=0.2, seed=1)
    leaky = set(table.filter("is_leak")["scenario_id"])
    shares = [len(leaky & set(group)) / len(group) for group in split.sets.values()]
    assert shares == [0.5, 0.5, 0.5]
    assert split.grouped_by == "scenario_id"


def test_split_is_seeded_and_ignores_the_order_of_rows() -> None:
    """Same seed, same sets; windows instead of scenarios give the same."""
    table = _scenarios(6, 4, 2)
    first = grouped_split(table, validation=0.2, test=0.2, seed=1)
    doubled = pl.concat([table, table]).sample(fraction=1, shuffle=True, seed=0)
    assert first == grouped_split(doubled, validation=0.2, test=0.2, seed=1)
    assert first != grouped_split(table, validation=0.2, test=0.2, seed=2)


def test_rows_select_the_windows_of_a_set() -> None:
    """Boolean per window."""
    table = _scenarios(6, 4, 2)
    split = grouped_split(table, validation=0.2, test=0.2, seed=1)
    rows = sum(split.rows(name, table["scenario_id"]).astype(int) for name in split.sets)
    assert (rows == 1).all()


def test_too_few_scenarios_and_shares_are_refused() -> None:
    """Nothing to train on."""
    with pytest.raises(ValueError, match="too few"):
        grouped_split(_scenarios(1, 2, 2), validation=0.2, test=0.2, seed=0)
    with pytest.raises(ValueError, match="leave nothing"):
        grouped_split(_scenarios(6, 2, 2), validation=0.5, test=0.5, seed=0)


def test_each_scenario_has_one_row_with_its_set_and_its_fold() -> None:
    """As `models.splits` has it; no folds where there are too few groups."""
    scenarios = _scenarios(6, 6, 2)
    split = grouped_split(scenarios, validation=0.2, test=0.2, seed=3)
    frozen = frozenset(split.sets["test"][:1])
    found = split_frame(split, scenarios, folds=3, seed=3, frozen=frozen)
    assert found["scenario_id"].to_list() == scenarios["scenario_id"].sort().to_list()
    assert found.group_by("batch").agg(pl.col("split", "fold").n_unique())["split"].max() == 1
    assert found.group_by("fold").len().sort("fold")["len"].to_list() == [12, 12, 12]
    assert found.filter("is_frozen")["split"].to_list() == ["test"]
    assert split_frame(split, scenarios, folds=99, seed=3)["fold"].null_count() == found.height
