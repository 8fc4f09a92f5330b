"""Random forest on windows: trained on what simulated leaks do, asked of each day.

The model's leak effects put onto what the leak-free week scatters make the training set; the
classes are areas of the network and "no leak". The report names the pipe in the area's middle.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leak_assets.benchmark.submission import Report
from leak_assets.benchmark.town_plan import REFERENCE_DAYS
from leak_assets.features.half_hours import PER_DAY

from .operating_point import inputs, unexplained
from .town_data import Floats, TownData, by_day

AREAS, TREES = 60, 100
SHARES = (0.02, 0.16)
"""Leaks of training take this part of the mean inflow: what towns of the benchmark have."""
_EXAMPLES_PER_PIPE = 8
_SEED = 0
_NO_LEAK = -1


def forest(town: TownData) -> list[Report]:
    """Return a report where two days in a row look like a leak of the same week.

    A window is a day's pressures, the inflow taken off, against the week before it; after a
    report a week passes until there is such a week again.

    References
    ----------
    Lučin et al., "Data-driven leak localization in urban water distribution networks using big
    data for random forest classifier", Mathematics 9(6), 672, 2021.
    """
    if not town.sensors:
        return []
    quiet = unexplained(town)
    daily = by_day(quiet)
    if town.days <= REFERENCE_DAYS:
        return []
    middles, trained = _trained(town, quiet)
    classes = trained.classes_.tolist()
    none = classes.index(_NO_LEAK)
    weeks = np.lib.stride_tricks.sliding_window_view(daily, REFERENCE_DAYS, axis=0)[:-1]
    change = daily[REFERENCE_DAYS:] - np.nan_to_num(weeks).mean(axis=2)
    chances = trained.predict_proba(np.nan_to_num(change))
    found = []
    ready, was_leak = REFERENCE_DAYS, False
    for day, chance in enumerate(chances, REFERENCE_DAYS):
        is_leak = bool(day >= ready and chance[none] < 0.5)
        if is_leak and was_leak:
            chance[none] = 0.0
            found.append(Report(town.end_of(day), town.pipes[middles[classes[chance.argmax()]]]))
            ready, is_leak = day + 1 + REFERENCE_DAYS, False
        was_leak = is_leak
    return found


def areas(distance_m: Floats, count: int) -> NDArray[np.int64]:
    """Return the middles of areas (A): each the pipe that is farthest from those before it."""
    chosen = [0]
    finite = np.where(np.isfinite(distance_m), distance_m, 1e9)
    away = finite[0].copy()
    while len(chosen) < min(count, len(distance_m)):
        chosen.append(int(away.argmax()))
        away = np.minimum(away, finite[chosen[-1]])
    return np.array(chosen, dtype=np.int64)


def _trained(town: TownData, quiet: Floats) -> tuple[NDArray[np.int64], Any]:
    """Return the middles of the areas and a forest that knows them."""
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(_SEED)
    middles = areas(town.distance_m, AREAS)
    area = town.distance_m[:, middles].argmin(axis=1)
    noise = _scatter(quiet[town.reference], rng)
    effect = town.effect_m - _through_inflow(town)
    pipe = np.repeat(np.arange(len(town.pipes)), _EXAMPLES_PER_PIPE)
    usual = _usual_m3_per_h(town)
    low, high = (float(np.log(share)) for share in SHARES)
    size = usual * np.exp(rng.uniform(low, high, size=len(pipe)))
    leaking = effect[pipe] * size[:, None] + noise(len(pipe))
    examples = np.concatenate([leaking, noise(len(pipe))])
    labels = np.concatenate([area[pipe], np.full(len(pipe), _NO_LEAK)])
    made = RandomForestClassifier(
        n_estimators=TREES,
        min_samples_leaf=2,
        random_state=_SEED,
        n_jobs=1,
    )
    return middles, made.fit(examples, labels)


def _scatter(reference: Floats, rng: np.random.Generator) -> Any:
    """Return what draws changes without a leak: a day of the reference week against the others.

    Days begin at any half-hour; a share of the half-hours' own scatter is added, for a week does
    not know the seasons.
    """
    known = np.nan_to_num(reference)
    starts = np.arange(len(known) - PER_DAY + 1)
    total = np.concatenate([np.zeros((1, known.shape[1])), known.cumsum(axis=0)])
    day = (total[starts + PER_DAY] - total[starts]) / PER_DAY
    deviation = known.std(axis=0)

    def draw(count: int) -> Floats:
        first, second = rng.integers(len(day), size=(2, count))
        more = rng.normal(0.0, 0.3, (count, len(deviation))) * deviation
        drawn: Floats = day[first] - day[second] + more
        return drawn

    return draw


def _through_inflow(town: TownData) -> Floats:
    """Return what 1 m3/h more inflow lets expect of each pressure, m (N)."""
    none = np.zeros(len(town.sensors))
    if town.flow_m3_per_h.shape[1] == 0:
        return none
    known = inputs(town)[town.reference]
    usual = _usual_m3_per_h(town)
    for sensor in range(len(none)):
        values = town.pressure_m[town.reference, sensor]
        usable = np.isfinite(values) & np.isfinite(known).all(axis=1)
        if usable.sum() > known.shape[1]:
            line = np.linalg.lstsq(known[usable], values[usable], rcond=None)[0]
            none[sensor] = line[1] + 2 * line[2] * usual
    return none


def _usual_m3_per_h(town: TownData) -> float:
    inflow = town.inflow_m3_per_h[town.reference]
    known = inflow[np.isfinite(inflow)]
    if len(known) and known.mean() > 0:
        return float(known.mean())
    from leak_assets.hydraulics.signatures.table import mean_demand_m3_per_s

    return mean_demand_m3_per_s(town.network) * 3600
