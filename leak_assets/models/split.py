"""Grouped split of scenarios: no scenario, and where possible no town, in two sets.

Random splits of windows flatter a pinpointer two- to fourfold: windows of one scenario overlap.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

MIN_TOWNS = 5
SETS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Scenarios of each set.

    Attributes
    ----------
    grouped_by
        `batch` (town) or `scenario_id`.
    sets
        Scenario identifiers by set name, sorted.
    """

    grouped_by: str
    sets: dict[str, tuple[str, ...]]

    def rows(self, name: str, scenario_ids: pl.Series) -> NDArray[np.bool_]:
        """Return which windows belong to a set, bool [n]."""
        return scenario_ids.is_in(list(self.sets[name])).to_numpy()


def grouped_split(
    scenarios: pl.DataFrame,
    *,
    validation: float,
    test: float,
    seed: int,
    frozen: frozenset[str] = frozenset(),
) -> Split:
    """Split scenarios into train, validation and test.

    Parameters
    ----------
    scenarios
        One row per scenario (or window): scenario_id, batch, is_leak. With five or more
        batches whole towns are split; with fewer, scenarios, stratified by whether they leak.
    validation, test
        Shares of the groups; each set gets at least one group of a stratum of three or more.
    seed
        Seed of the draw.
    frozen
        Scenarios of the test set that never changes: they, and their whole town where towns are
        split, are tested on whatever the draw.

    Raises
    ------
    ValueError
        If there are fewer than three groups, or the shares leave nothing to train on.
    """
    if validation + test >= 1:
        message = f"validation {validation} + test {test} leave nothing to train on"
        raise ValueError(message)
    table = (
        scenarios.group_by("scenario_id")
        .agg(pl.col("batch").first(), pl.col("is_leak").any())
        .sort("scenario_id")
    )
    if table["batch"].n_unique() >= MIN_TOWNS:
        grouped_by, strata = "batch", [table["batch"].unique().sort()]
    else:
        grouped_by = "scenario_id"
        strata = [table.filter(pl.col("is_leak") == leak)["scenario_id"] for leak in (True, False)]
    if max(s.len() for s in strata) < len(SETS):
        message = f"{table.height} scenarios are too few for three sets"
        raise ValueError(message)
    rng = np.random.default_rng(seed)
    groups: dict[str, list[str]] = {name: [] for name in SETS}
    for stratum in strata:
        n = stratum.len()
        order = stratum.gather(rng.permutation(n)).to_list()
        kept = set(table.filter(pl.col("scenario_id").is_in(list(frozen)))[grouped_by])
        order.sort(key=lambda group, kept=kept: group not in kept)  # type: ignore[misc]
        least = 1 if n >= len(SETS) else 0
        in_test = max(least, round(test * n), sum(group in kept for group in order))
        in_validation = max(least, round(validation * n))
        groups["test"] += order[:in_test]
        groups["validation"] += order[in_test : in_test + in_validation]
        groups["train"] += order[in_test + in_validation :]
    sets = {
        name: tuple(table.filter(pl.col(grouped_by).is_in(members))["scenario_id"])
        for name, members in groups.items()
    }
    if empty := [name for name, members in sets.items() if not members]:
        message = f"{table.height} scenarios leave nothing for the {empty[0]} set"
        raise ValueError(message)
    return Split(grouped_by, sets)


def split_frame(
    split: Split,
    scenarios: pl.DataFrame,
    *,
    folds: int,
    seed: int,
    frozen: frozenset[str] = frozenset(),
) -> pl.DataFrame:
    """Return scenario_id, batch, split, grouped_by, fold, is_frozen of each scenario of a split.

    Parameters
    ----------
    scenarios
        As of `grouped_split`.
    folds, seed
        Of the cross-validation; fold is null without, and where there are too few groups for it.
    """
    towns = scenarios.group_by("scenario_id").agg(pl.col("batch").first())
    try:
        dealt = grouped_folds(scenarios, folds=folds, seed=seed) if folds else []
    except ValueError:
        dealt = []
    fold = {name: number for number, members in enumerate(dealt) for name in members}
    rows = [
        (scenario, name, split.grouped_by, fold.get(scenario), scenario in frozen)
        for name, members in split.sets.items()
        for scenario in members
    ]
    schema = {
        "scenario_id": pl.String,
        "split": pl.String,
        "grouped_by": pl.String,
        "fold": pl.Int64,
        "is_frozen": pl.Boolean,
    }
    members = pl.DataFrame(rows, schema=schema, orient="row")
    return members.join(towns, on="scenario_id").sort("scenario_id")


def grouped_folds(scenarios: pl.DataFrame, *, folds: int, seed: int) -> list[tuple[str, ...]]:
    """Return the scenarios of each fold of a grouped cross-validation, none of them in two.

    Parameters
    ----------
    scenarios
        As of `grouped_split`: whole towns, or scenarios stratified by whether they leak.

    Raises
    ------
    ValueError
        If there are fewer groups than folds.
    """
    table = (
        scenarios.group_by("scenario_id")
        .agg(pl.col("batch").first(), pl.col("is_leak").any())
        .sort("scenario_id")
    )
    rng = np.random.default_rng(seed)
    by = "batch" if table["batch"].n_unique() >= max(MIN_TOWNS, folds) else "scenario_id"
    groups = table.group_by(by).agg(pl.col("is_leak").any()).sort(by)
    if groups.height < folds:
        message = f"{groups.height} groups are too few for {folds} folds"
        raise ValueError(message)
    # Dealt like cards, leaking ones first: every fold gets its share of both.
    shuffled = groups[rng.permutation(groups.height)].sort("is_leak", maintain_order=True)
    dealt = shuffled.with_columns(fold=pl.int_range(pl.len()) % folds)
    found = table.join(dealt.select(by, "fold"), on=by).sort("scenario_id")
    return [tuple(found.filter(pl.col("fold") == n)["scenario_id"]) for n in range(folds)]
