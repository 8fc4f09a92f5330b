"""Exports of a small town for the BattLeDIM run: Hanoi with noise, with and without leaks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from leak_assets.hydraulics.epanet.snapshots import Snapshots
from leak_assets.hydraulics.twin.nominal import demand_shares
from leak_assets.settings import Settings
from leak_assets.sites import Network, resolve

SENSORS = ("4", "9", "13", "16", "19", "22", "26", "30")
STEPS_PER_DAY = 48
FIRST = datetime(2018, 12, 1, tzinfo=UTC)
DAYS = 62
Leak = tuple[str, int, int, float]  # pipe, first day, end day, m3/h
MakeExport = Callable[..., Path]


@pytest.fixture(scope="session")
def hanoi(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """Return Hanoi."""
    return resolve("hanoi", Settings(LEAK_ASSETS_HOME=tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="session")
def make_export(hanoi: Network, tmp_path_factory: pytest.TempPathFactory) -> MakeExport:
    """Return a function that writes December 2018 and January 2019 of a town like Hanoi."""

    def make(leaks: tuple[Leak, ...] = (), *, days: int = DAYS, seed: int = 5) -> Path:
        rng = np.random.default_rng(seed)
        model = hanoi.water_network()
        for _, pipe in model.pipes():
            pipe.roughness *= rng.uniform(0.95, 1.05)
        demands = demand_shares(model, model.junction_name_list)
        base = {k: v for group in demands.values() for k, v in group.items()}
        factor = {name: rng.uniform(0.95, 1.05) for name in base}
        groups = [{name: share * factor[name]} for name, share in base.items()]
        groups += [_ends(model, pipe) for pipe, *_ in leaks]
        rows = np.zeros((DAYS * STEPS_PER_DAY, len(SENSORS) + 1))
        with Snapshots(model, groups, pressures=SENSORS, flows=("1",)) as solver:
            for step in range(len(rows)):
                day, hour = divmod(step, STEPS_PER_DAY)
                load = 0.7 + 0.25 * np.sin(2 * np.pi * hour / STEPS_PER_DAY)
                noise = load * (1 + 0.02 * rng.standard_normal(len(base)))
                size = [q / 3600 if first <= day < end else 0.0 for _, first, end, q in leaks]
                solver.set_multipliers([*noise, *size])
                assert solver.solve()
                rows[step] = [*solver.pressures(), *(3600 * solver.flows())]
        rows[:, :-1] += 0.01 * rng.standard_normal(rows[:, :-1].shape) + rng.uniform(-0.1, 0.1, 8)
        return _write(tmp_path_factory.mktemp("export"), rows[: days * STEPS_PER_DAY])

    return make


def _ends(model: object, pipe: str) -> dict[str, float]:
    link = model.get_link(pipe)  # type: ignore[attr-defined]
    return {link.start_node_name: 0.5, link.end_node_name: 0.5}


def _write(folder: Path, rows: np.ndarray) -> Path:
    times = [FIRST + timedelta(minutes=30 * i) for i in range(len(rows))]
    for name, heads, columns in (
        ("Pressures", SENSORS, slice(0, len(SENSORS))),
        ("Flows", ("1",), slice(len(SENSORS), None)),
    ):
        for year in (2018, 2019):
            lines = [";".join(("Timestamp", *heads))]
            for when, row in zip(times, rows[:, columns], strict=True):
                if when.year == year:
                    values = ";".join(f"{value:.2f}".replace(".", ",") for value in row)
                    lines.append(f"{when:%Y-%m-%d %H:%M:%S};{values}")
            (folder / f"{year}_SCADA_{name}.csv").write_text("\n".join(lines) + "\n")
    (folder / "2018_Fixed_Leakages_Report.txt").write_text("# linkID, repairTime\n")
    return folder
