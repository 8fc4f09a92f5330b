"""Sensor placement: known answers by hand, and Hanoi against chance on leaks it has not seen."""

from pathlib import Path

import numpy as np
import pytest

from leak_assets.errors import InputError
from leak_assets.hydraulics.signatures.placement import LeakCases, place_sensors, placement_quality
from leak_assets.hydraulics.signatures.placement_steps import PLACEMENT_STEP, TABLE, PlacementPlan
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.runner import run_step
from leak_assets.settings import Settings
from leak_assets.warehouse import Written


@pytest.fixture
def ctx(tmp_path: Path) -> StepContext:
    return StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path))


def write_placement(ctx: StepContext, plan: PlacementPlan) -> list[Written]:
    """Bring the placement of Hanoi up to date with a plan."""
    return run_step(PLACEMENT_STEP, ctx, ctx.network("hanoi"), [{"network": "hanoi"}], plan=plan)


# Three pipes, four junctions, metres per m3/s: the first junction feels all pipes alike, the
# next two tell them apart, the last feels nothing.
RESPONSE = np.array(
    [
        [-20.0, -40.0, -1.0, 0.0],
        [-20.0, -2.0, -40.0, 0.0],
        [-20.0, -1.0, -1.0, 0.0],
    ]
)


def test_sensors_that_tell_pipes_apart_come_first() -> None:
    """One sensor sees every leak; the next ones separate; the deaf junction is never chosen."""
    cases = LeakCases.of_sizes(RESPONSE[None], np.array([0.01]))
    chosen = place_sensors(RESPONSE, cases, sensors=3, noise_m=0.01, seed=1)
    assert chosen[0] == 0
    assert set(chosen) == {0, 1, 2}
    qualities = placement_quality(RESPONSE, cases, chosen, noise_m=0.01, seed=2)
    assert [q.seen_share for q in qualities] == [1.0, 1.0, 1.0]
    assert qualities[0].top1_hit == 0.0, "three pipes that look alike share their ranks"
    assert qualities[2].top1_hit == 1.0
    (deaf,) = placement_quality(RESPONSE, cases, [3], noise_m=0.01, seed=2)
    assert (deaf.seen_share, deaf.topk_hit, deaf.mrr) == (0.0, 0.0, 0.0)


def test_a_leak_in_the_noise_is_missed() -> None:
    """Below three standard deviations at every sensor nothing is seen, nor found by luck."""
    cases = LeakCases.of_sizes(RESPONSE[None], np.array([0.0005]))
    (quality,) = placement_quality(RESPONSE, cases, [0], noise_m=0.01, seed=1)
    assert quality.seen_share == 0.0
    assert quality.topk_hit == 0.0


@pytest.mark.parametrize(
    ("sensors", "noise_m", "words"), [(0, 0.1, "0 sensors"), (5, 0.1, "5 sensors"), (1, 0.0, "0.0")]
)
def test_requests_that_make_no_sense_are_refused(sensors: int, noise_m: float, words: str) -> None:
    """More sensors than junctions, none, or no noise."""
    cases = LeakCases.of_sizes(RESPONSE[None], np.array([0.01]))
    with pytest.raises(InputError, match=words):
        place_sensors(RESPONSE, cases, sensors=sensors, noise_m=noise_m, seed=1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_hanoi_beats_chance_on_leaks_it_was_not_chosen_for(ctx: StepContext, seed: int) -> None:
    """SIM15: more leaks seen and more pipes among the top five than at random junctions.

    Sizes and hours of the leaks tried took no part in the choice, the noise is that of a
    simulated town; both placements are tried in the same noise.
    """
    write_placement(ctx, PlacementPlan(seed=seed))
    found = ctx.warehouse.read_all(TABLE).sort("rank")
    assert found["rank"].to_list() == [1, 2, 3, 4, 5]
    assert found["node_id"].n_unique() == 5
    last = found.row(-1, named=True)
    assert last["top5_hit"] > last["random_top5_hit"] + 0.05
    assert last["top1_hit"] > last["random_top1_hit"] + 0.05
    assert last["seen_share"] > last["random_seen_share"]


def test_the_list_is_stable_for_a_seed_and_nested(ctx: StepContext, tmp_path: Path) -> None:
    """The same seed gives the same rows elsewhere; fewer sensors are the beginning of more."""
    (first,) = write_placement(ctx, PlacementPlan())
    five = ctx.warehouse.read_all(TABLE).sort("rank")["node_id"].to_list()
    elsewhere = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / "elsewhere"))
    (second,) = write_placement(elsewhere, PlacementPlan())
    assert first.record.data_version == second.record.data_version
    (kept,) = write_placement(ctx, PlacementPlan())
    assert not kept.changed
    write_placement(ctx, PlacementPlan(sensors=3))
    assert ctx.warehouse.read_all(TABLE).sort("rank")["node_id"].to_list() == five[:3]
