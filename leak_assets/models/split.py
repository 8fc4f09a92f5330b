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


def grouped_split(scenarios: pl.DataFrame, *, validation: float, test: float, seed: int) -> Split:
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
        least = 1 if n >= len(SETS) else 0
        in_test = max(least, round(test * n))
        in_validation = max(least, round(validation * n))
        groups["test"] += order[:in_test]
        groups["validation"] += order[in_test : in_test + in_validation]
        groups["train"] += order[in_test + in_validation :]
    sets = {
        name: tuple(table.filter(pl.col(grouped_by).is_in(members))["scenario_id"])
        for name, members in groups.items()
    }
    return Split(grouped_by, sets)
