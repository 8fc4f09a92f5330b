"""The scatter without leaks that a layout is judged under: of reference days, or of a made week.

Where telemetry was ingested its reference days say it; before, a week of a town that the engine
makes, with its demand noise, sensor noise and differences from the model.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from leak_assets.benchmark.town_plan import REFERENCE_DAYS
from leak_assets.errors import InputError
from leak_assets.features.half_hours import (
    ChannelReference,
    half_hour_means,
    learn_correction,
    learn_reference,
)
from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.towns.town import Town
from leak_assets.hydraulics.twin.twin import Twin
from leak_assets.pipeline.context import StepContext
from leak_assets.sites.registry import source_of
from leak_assets.sites.site import NetworkSite

REFERENCES = "features.channel_references"
_MADE_WEEK = date(2019, 1, 7)
_TOWN_SEED = 1


def known_reference(ctx: StepContext, site: NetworkSite) -> ChannelReference | None:
    """Return what the newest ingested reference days of a network say; None before there are."""
    if not site.network.is_registered:
        return None
    for partition in reversed(ctx.warehouse.partitions(REFERENCES, network=site.name)):
        rows = ctx.warehouse.read(REFERENCES, partition)
        if rows is not None and (found := ChannelReference.from_frame(rows)) is not None:
            return _usable(found)
    return None


def made_reference(site: NetworkSite) -> ChannelReference | None:
    """Return the reference of a leak-free week of a town that differs from the model.

    None where the layout has no pressure and no metered zone.
    """
    if finds_nothing(site):
        return None
    twin = Twin(site.network, site.layout)
    days = [_MADE_WEEK + timedelta(days=number) for number in range(REFERENCE_DAYS)]
    run = run_scenario(
        site.network,
        site.layout,
        start_at=datetime.combine(_MADE_WEEK, time(), UTC),
        duration_s=REFERENCE_DAYS * 86400 - 300,
        town=Town.draw(site.network, _TOWN_SEED),
        seed=_TOWN_SEED,
    )
    wide = run.wide()
    return _usable(learn_reference(twin, half_hour_means(wide), days, learn_correction(twin, wide)))


def finds_nothing(site: NetworkSite) -> bool:
    """Whether a layout has neither a pressure sensor nor a zone metered on all sides."""
    if site.layout.ids("pressure"):
        return False
    return not any(zone.is_balanced for zone in Twin(site.network, site.layout).zones)


def require_sensors(site: NetworkSite) -> None:
    """Refuse a layout of `finds_nothing`.

    Raises
    ------
    InputError
        With the command that says where sensors are.
    """
    if finds_nothing(site):
        source = source_of(site.network)
        raise InputError(
            f"the sensors of {site.name} find no leak: there is no pressure sensor, and no zone"
            " whose inflow is measured on all sides",
            remedy=f"`leak-assets networks register {source} --pressures N1,N2,… --flows L1,…` says"
            f" where sensors are, `leak-assets expect --network {source}` what others would find",
        )


def _usable(reference: ChannelReference) -> ChannelReference | None:
    """Return the reference without channels that say nothing on its days; None without any."""
    kept = np.flatnonzero(np.isfinite(reference.daily).any(axis=0))
    if len(kept) == 0:
        return None
    pressures = kept[kept < reference.pressures]
    return replace(
        reference,
        names=tuple(reference.names[i] for i in kept),
        is_metered=tuple(reference.is_metered[i] for i in kept),
        factor=reference.factor[kept],
        usual=reference.usual[kept],
        covariance=reference.covariance[np.ix_(pressures, pressures)],
        daily=reference.daily[:, kept],
    )
