"""Pressures with the inflow taken off, as the leak-free week shows how they hang together."""

import numpy as np

from .town_data import Floats, TownData


def unexplained(town: TownData) -> Floats:
    """Return pressure minus what the reference week says at the same inflow (T × N), m.

    A parabola for each sensor: head loss is nearly quadratic in flow. Without a flow meter the
    time of day stands in for the inflow.
    """
    known = inputs(town)
    out = np.full(town.pressure_m.shape, np.nan)
    for sensor in range(len(town.sensors)):
        values = town.pressure_m[:, sensor]
        usable = np.isfinite(known[town.reference]).all(axis=1)
        usable &= np.isfinite(values[town.reference])
        if usable.sum() > known.shape[1]:
            fitted = np.linalg.lstsq(
                known[town.reference][usable], values[town.reference][usable], rcond=None
            )
            out[:, sensor] = values - known @ fitted[0]
    return out


def inputs(town: TownData) -> Floats:
    """Return what a pressure is explained by (T × K): the inflow, or two waves over the day."""
    one = np.ones(len(town.pressure_m))
    if town.flow_m3_per_h.shape[1] > 0:
        inflow = town.inflow_m3_per_h
        return np.stack([one, inflow, inflow**2], axis=1)
    phase = 2 * np.pi * np.arange(len(one)) / 48
    waves = [wave(number * phase) for number in (1, 2) for wave in (np.sin, np.cos)]
    return np.stack([one, *waves], axis=1)
