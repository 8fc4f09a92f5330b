"""Gates beside the metrics: euro on generated towns, and change requests."""

from datetime import UTC, datetime

import polars as pl
import pytest

from leak_assets.models.change_control import change_failure
from leak_assets.models.config import EuroGate, load_config
from leak_assets.models.euro_gate import Verdict, euro_verdict
from leak_assets.warehouse.schemas.detection import BACKTESTS

GATE = EuroGate(towns=2, days=30, history_days=21, first_seed=9001, tolerance_eur=10)


def backtests(*rows: tuple[str, str, float]) -> pl.DataFrame:
    """Return backtests: model version, hash of the known leaks, net euro."""
    empty = dict.fromkeys(BACKTESTS.polars_schema)
    return pl.DataFrame(
        [
            empty
            | {
                "network": "hanoi",
                "method": "windows",
                "model_version": version,
                "truth_sha256": truth,
                "net_eur": net,
                "created_at": datetime(2026, 1, 1, minute=minute, tzinfo=UTC),
            }
            for minute, (version, truth, net) in enumerate(rows)
        ],
        schema=BACKTESTS.polars_schema,
    )


def test_a_candidate_worth_less_is_refused_whatever_its_metrics() -> None:
    """MOD17: the reason names both sums."""
    rows = backtests(("old", "a", 500), ("old", "b", 300), ("new", "a", 600), ("new", "b", 100))
    verdict, line = euro_verdict(rows, champion="old", candidate="new", gate=GATE)
    assert verdict is Verdict.WORTH_LESS
    assert line == "gate net_eur failed: 700 EUR net on 2 generated towns, old 800 EUR"


@pytest.mark.parametrize("net", [200.0, 190.0])
def test_as_much_within_the_tolerance_is_enough(net: float) -> None:
    """10 EUR less in all is still as good."""
    rows = backtests(("old", "a", 500), ("old", "b", 300), ("new", "a", 600), ("new", "b", net))
    assert euro_verdict(rows, champion="old", candidate="new", gate=GATE)[0] is Verdict.WORTH_IT


def test_only_the_same_leaks_are_compared_and_the_newest_of_each() -> None:
    """Another town of the candidate alone proves nothing; a backtest run again replaces the old."""
    rows = backtests(("old", "a", 500), ("new", "a", 900), ("new", "c", 900))
    verdict, line = euro_verdict(rows, champion="old", candidate="new", gate=GATE)
    assert verdict is Verdict.NOT_VALUED
    assert "on 1 of 2 generated towns" in line
    again = backtests(
        ("old", "a", 500), ("old", "b", 0), ("new", "a", 0), ("new", "b", 0), ("new", "a", 900)
    )
    assert euro_verdict(again, champion="old", candidate="new", gate=GATE)[0] is Verdict.WORTH_IT


def test_a_changed_configuration_needs_a_request_of_its_own() -> None:
    """MOD14: against the packaged configuration and the one in use; not for a version alone."""
    packaged = load_config("leak_detector")
    assert change_failure(packaged, None) is None
    assert change_failure(packaged.model_copy(update={"version": "9.0.0"}), None) is None
    changed = packaged.model_copy(update={"seed": 8})
    assert "names no change request" in (change_failure(changed, None) or "")
    asked = changed.model_copy(update={"change_request": "CR-7"})
    assert change_failure(asked, None) is None
    in_use = asked.model_dump(mode="json")
    assert change_failure(asked, in_use) is None, "the one in use, trained again"
    assert change_failure(packaged, in_use) is None, "back to what was agreed on"
    next_one = asked.model_copy(update={"seed": 9})
    assert "CR-7 asked for the configuration in use" in (change_failure(next_one, in_use) or "")
