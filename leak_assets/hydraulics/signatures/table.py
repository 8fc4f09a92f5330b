"""Leak signatures as rows of `simulation.leak_signatures`, and the leak sizes they are made for.

What a signature is and how it is computed is `signatures`; partitions are `steps`.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.hydraulics.twin.nominal import Calendar, demand_shares
from leak_assets.sites import Network
from leak_assets.units import SECONDS_PER_HOUR
from leak_assets.warehouse.schemas.simulation import LEAK_SIGNATURES

from .signatures import Signatures

# Leaks against the network's mean demand. On L-Town (50 L/s) these are 1, 2 and 4 L/s, leaks
# that run for weeks; one size in L/s for all networks would be below the solver's accuracy in
# Hanoi (5,500 L/s) and a burst in a village.
LEAK_SHARES = (0.02, 0.04, 0.08)
HOURS = 24
# EPANET's steady states are good to a millimetre; more digits only make the file larger.
_DECIMALS = {"pressure": 5, "flow": 8}

Floats = NDArray[np.float64]


def mean_demand_m3_per_s(network: Network) -> float:
    """Return the mean nominal demand of a network over the first day of its patterns, m3/s.

    Junctions with negative demand are sources and do not count.
    """
    model = network.water_network()
    calendar = Calendar(network, model)
    at_s = calendar.midnight_s + np.arange(HOURS, dtype=np.int64) * SECONDS_PER_HOUR
    return sum(
        sum(share for share in group.values() if share > 0)
        * float(calendar.means(pattern, at_s, SECONDS_PER_HOUR).mean())
        for pattern, group in demand_shares(model, model.junction_name_list).items()
    )


def leak_sizes_m3_per_s(
    network: Network, shares: Sequence[float] = LEAK_SHARES
) -> tuple[float, ...]:
    """Return leak sizes in m3/s that are shares of the mean demand, to two digits.

    Raises
    ------
    InputError
        The network takes no water, so nothing says what a leak is to it.
    """
    demand = mean_demand_m3_per_s(network)
    if demand <= 0:
        raise InputError(
            f"{network.name} has no demand that leak sizes could be measured against",
            remedy="Give its junctions base demands",
            file=network.inp_path,
        )
    return tuple(float(f"{share * demand:.1e}") for share in shares)


def signature_rows(
    network: str, sizes: Sequence[float], signatures: Sequence[Signatures]
) -> pl.DataFrame:
    """Return `simulation.leak_signatures` of a network.

    Parameters
    ----------
    sizes
        Leak sizes in m3/s (Z).
    signatures
        What was computed with each size, for the same pipes, sensors and hours (Z).

    Returns
    -------
    polars.DataFrame
        One row per pipe, hour, size and sensor, in this order.
    """
    one = signatures[0]
    residual = np.stack(
        [s.response * size for s, size in zip(signatures, sizes, strict=True)], axis=2
    )
    change = residual + np.stack(
        [_shift(s) * size for s, size in zip(signatures, sizes, strict=True)], axis=2
    )
    pipes, hours, count, sensors = residual.shape
    quantity, sensor = zip(*(name.split("/", 1) for name in one.sensors), strict=True)
    for number, name in enumerate(quantity):
        for values in (change, residual):
            values[..., number] = values[..., number].round(_DECIMALS[name])
    # Adding zero makes −0.0 plain, so that equal results have equal hashes.
    return pl.DataFrame(
        {
            "network": pl.repeat(network, residual.size, eager=True),
            "link_id": pl.Series(one.pipes).gather(
                np.repeat(np.arange(pipes), hours * count * sensors)
            ),
            "hour": np.tile(np.repeat(np.array(one.hours), count * sensors), pipes),
            "leak_m3_per_s": np.tile(np.repeat(np.array(sizes), sensors), pipes * hours),
            "quantity": pl.Series(quantity).gather(
                np.tile(np.arange(sensors), pipes * hours * count)
            ),
            "sensor_id": pl.Series(sensor).gather(
                np.tile(np.arange(sensors), pipes * hours * count)
            ),
            "change_si": change.ravel() + 0.0,
            "residual_si": residual.ravel() + 0.0,
        },
        schema_overrides={
            name: dtype
            for name, dtype in LEAK_SIGNATURES.polars_schema.items()
            if name in {"change_si", "residual_si", "hour"}
        },
    )


def _shift(signatures: Signatures) -> Floats:
    """Return how each leak moves the twin's expectation, per m3/s (P × H × S)."""
    nothing = np.zeros((1, *signatures.response.shape[1:]))
    # Zone −1, where the twin has no balance to see a leak in, takes the zeros at the end.
    return np.concatenate([signatures.spread, nothing])[signatures.zone]
