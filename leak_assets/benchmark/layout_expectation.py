"""What is to be expected of a network's layout, as rows and sentences for people.

Brings together model, signatures and scatter; the arithmetic is `expectation`.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leak_assets.detection.likelihood.explanations import HIT_M, Explanations
from leak_assets.detection.likelihood.noise import Noise
from leak_assets.detection.likelihood.responses import Responses
from leak_assets.errors import HydraulicError
from leak_assets.features.half_hours import ChannelReference
from leak_assets.hydraulics.signatures.signatures import signatures
from leak_assets.hydraulics.signatures.steps import leaking_pipes, unsolvable
from leak_assets.hydraulics.signatures.table import leak_sizes_m3_per_s
from leak_assets.pipeline.context import StepContext
from leak_assets.sites import PipeDistance
from leak_assets.sites.site import NetworkSite

from .expectation import DAYS, Drawn, Expectation, expect
from .expected_noise import known_reference, made_reference

DAY, WEEK, MONTH = 1, 7, DAYS[-1]
# Steady states worth solving: L-Town's 905 pipes at 12 hours.
_MOST_STATES = 12_000
_HOURS = (
    (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22),
    (2, 6, 10, 14, 18, 22),
    (2, 8, 14, 20),
    (14,),
)
_MOST_SHARE, _ENOUGH_SHARE = 0.9, 0.1


@dataclass(frozen=True)
class LayoutExpectation:
    """What a layout lets expect, and under which scatter.

    Parameters
    ----------
    noise
        Where the scatter without leaks comes from, in words.
    """

    site: NetworkSite
    expectation: Expectation
    noise: str

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each leak size: shares found, usual distance, share placed near."""
        return [
            {
                "leak m3/h": float(f"{one.leak_m3_per_h:.3g}"),
                "% within a day": _percent(one.found_share(DAY)),
                "% within a week": _percent(one.found_share(WEEK)),
                "% within a month": _percent(one.found_share(MONTH)),
                "m away": None if one.median_m is None else round(one.median_m),
                "% placed within 300 m": _percent(one.near_share),
            }
            for one in self.expectation.sizes
        ]

    def sentences(self) -> list[str]:
        """Return what the layout can, and plainly what it cannot."""
        found, sizes = self.expectation, self.expectation.sizes
        if not sizes:
            return [
                "This layout finds no leak: it has no pressure sensor, and no zone whose inflow is"
                " measured on all sides."
            ]
        largest = sizes[-1]
        said = []
        enough = [one for one in sizes if one.found_share(WEEK) >= _MOST_SHARE]
        if enough:
            said.append(
                f"Leaks from {_flow(enough[0])} m3/h on are found within a week at nine"
                " of ten pipes."
            )
        else:
            said.append(
                f"No size of leak is found at nine of ten pipes within a week: of"
                f" {_flow(largest)} m3/h {largest.found_share(WEEK):.0%} are."
            )
        blind = int(np.isinf(found.smallest_m3_per_h(MONTH)).sum())
        if blind == len(found.pipes):
            said.append(f"It finds no leak of up to {_flow(largest)} m3/h in a month.")
        elif blind:
            said.append(
                f"At {blind} of {len(found.pipes)} pipes not even a leak of"
                f" {_flow(largest)} m3/h is found within a month."
            )
        said += self._what_is_missing()
        taken = max(sizes, key=lambda one: float(one.is_taken_for_fault.mean()))
        share = float(taken.is_taken_for_fault.mean())
        if share >= 0.05:
            said.append(
                f"Too few sensors feel the same leak: of {_flow(taken)} m3/h {share:.0%}"
                " are taken for a sensor that lies."
            )
        return [*said, *self._placing()]

    def _what_is_missing(self) -> list[str]:
        found = self.expectation
        if found.pressures == 0:
            return [
                "It has no pressure sensor that counts: what a zone takes tells that it leaks, not"
                " where. Every pipe of a zone looks the same."
            ]
        if found.zones == 0:
            return ["No zone's inflow is measured on all sides: pressures alone must tell a leak."]
        return []

    def _placing(self) -> list[str]:
        # Of a size that is hardly ever reported the place is an accident.
        reported = [
            one
            for one in self.expectation.sizes
            if one.median_m is not None and one.found_share(MONTH) >= _ENOUGH_SHARE
        ]
        if not reported:
            return []
        best = max(reported, key=lambda one: one.near_share or 0.0)
        near, away = best.near_share or 0.0, best.median_m or 0.0
        half = f"within {away:,.0f} m" if away else "on the very pipe"
        said = (
            f"of {_flow(best)} m3/h, of those reported, {near:.0%} are placed within"
            f" {HIT_M:.0f} m of the leak, half of them {half}"
        )
        if near >= 0.5:
            return [f"Placing: {said}."]
        return [f"It does not place leaks: at best, {said}. Add pressure sensors."]


def expect_layout(ctx: StepContext, site: NetworkSite) -> LayoutExpectation:
    """Return what a network's layout lets expect.

    The scatter is that of ingested reference days where they are of these sensors; else of a week
    that the engine makes.

    Raises
    ------
    InputError
        No pipe can leak, or the model has no steady state.
    """
    pipes = leaking_pipes(site.network)
    reference = known_reference(ctx, site)
    if reference is not None and _is_of(reference, site):
        first, last = reference.days[0], reference.days[-1]
        noise = f"reference days {first} to {last}"
    else:
        ctx.progress(f"making a week of a town like {site.name}")
        reference = made_reference(site)
        noise = "a simulated week, with demand noise and sensor noise as the engine makes them"
    if reference is None:
        return LayoutExpectation(site, expect(_nothing(site, pipes), None), "nothing measured")
    hours = next((h for h in _HOURS if len(h) * len(pipes) <= _MOST_STATES), _HOURS[-1])
    ctx.progress(f"leaks at {len(pipes)} pipes, {len(hours)} hours of the day")
    try:
        found = signatures(
            site.network,
            site.layout,
            pipes,
            hours=hours,
            leak_m3_per_s=leak_sizes_m3_per_s(site.network)[1],
            cache_dir=ctx.settings.cache_dir,
        )
    except HydraulicError as error:
        raise unsolvable(site.network, error) from error
    explanations = Responses.of(found, site.network, site.layout).explanations(reference)
    with warnings.catch_warnings():
        # The mean over no pressure at all.
        warnings.simplefilter("ignore", RuntimeWarning)
        _ = explanations.mismatch
    ctx.progress("drawing leaks and following their evidence")
    return LayoutExpectation(site, expect(explanations, Noise.of(reference)), noise)


def _is_of(reference: ChannelReference, site: NetworkSite) -> bool:
    known = {f"pressure/{name}" for name in site.layout.ids("pressure")}
    return known >= set(reference.names[: reference.pressures])


def _nothing(site: NetworkSite, pipes: Sequence[str]) -> Explanations:
    """Return explanations without a channel."""
    names, distance = PipeDistance(site.network).matrix()
    place = {name: number for number, name in enumerate(names)}
    index = [place[pipe] for pipe in pipes]
    none = np.zeros((len(pipes), 0))
    return Explanations(tuple(pipes), none, np.zeros((0, 0)), distance[np.ix_(index, index)], 0)


def _flow(one: Drawn) -> str:
    return f"{float(f'{one.leak_m3_per_h:.3g}'):,g}"


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share)
