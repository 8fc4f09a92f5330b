"""From true to measured: offset, noise and resolution of the instrumented elements."""

import numpy as np
from numpy.typing import NDArray

from leak_assets.sites.sensors import SensorLayout

from .town import Town

Array = NDArray[np.float64]


def measure(
    true: dict[str, Array], layout: SensorLayout, town: Town, seed: int
) -> dict[str, Array]:
    """Return what the sensors of a layout report.

    Parameters
    ----------
    true
        Quantity to true values in SI (T × sensors of the quantity, in layout order).
    seed
        Of the noise; each quantity has a stream of its own, so removing the sensors of one does
        not change the noise of another.

    Returns
    -------
    dict
        Quantity to measured values, same shapes. With perfect sensors the true values.
    """
    errors = town.bounds.sensors
    sd = {
        "pressure": errors.pressure_sd_m,
        "flow": errors.flow_sd_m3_per_s,
        "level": errors.level_sd_m,
        "demand": 0.0,
    }
    resolution = {
        "pressure": errors.pressure_resolution_m,
        "flow": errors.flow_resolution_m3_per_s,
        "level": errors.level_resolution_m,
        "demand": errors.demand_resolution_m3_per_s,
    }
    measured = {}
    for number, quantity in enumerate(sd):
        if quantity not in true:
            continue
        values = true[quantity].copy()
        if quantity == "pressure":
            values += [town.pressure_offset_m.get(i, 0.0) for i in layout.ids(quantity)]
        if sd[quantity]:
            rng = np.random.default_rng([seed, 0x5E, number])
            values += rng.normal(0.0, sd[quantity], values.shape)
        if resolution[quantity]:
            values = np.round(values / resolution[quantity]) * resolution[quantity]
        measured[quantity] = values
    return measured
