"""What a variant may say, and what is refused before anything is computed."""

import pytest

from leak_assets.audit.rescore import Variant, _with_policy
from leak_assets.benchmark.backtest import BacktestPlan
from leak_assets.commands.options import named_values
from leak_assets.detection.likelihood.method import LikelihoodDetector
from leak_assets.detection.windows.method import WindowsDetector
from leak_assets.errors import InputError


def likelihood() -> LikelihoodDetector:
    """Return a detector that never needs its signatures."""
    return LikelihoodDetector("net1", lambda: None)


def windows() -> WindowsDetector:
    """Return a detector that never needs its network."""
    return WindowsDetector("net1", lambda: None, lambda: lambda _a, _b: 0.0)


def test_a_threshold_is_the_methods_own() -> None:
    """Of the likelihood method it is the alarm; the rest of its policy stays."""
    changed = _with_policy(likelihood(), Variant(method="likelihood", threshold=60.0))
    assert changed.policy.alarm == 60.0
    assert changed.policy.longest_wait_days == likelihood().policy.longest_wait_days


def test_settings_keep_their_type() -> None:
    """What comes as text becomes what the policy holds."""
    options = named_values(["confirm-windows=8", "onset_lookback_h=48"])
    changed = _with_policy(windows(), Variant(method="windows", options=options))
    assert changed.policy.confirm_windows == 8
    assert changed.policy.onset_lookback_h == 48.0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"nothing": "1"}, "no setting 'nothing'"),
        ({"alarm": "many"}, "cannot be used"),
        ({"alarm": "-1"}, "must be positive"),
        ({"chance_to_report": "2"}, "must be 0 to 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(options: dict[str, str], told: str) -> None:
    """An unknown name, no number, a number out of bounds."""
    with pytest.raises(InputError, match=told):
        _with_policy(likelihood(), Variant(method="likelihood", options=options))


def test_settings_that_look_further_back_than_the_method_reads_are_refused() -> None:
    """Otherwise a replay would quietly see less than it says."""
    variant = Variant(method="windows", options={"onset_lookback_h": "500"})
    with pytest.raises(InputError, match="days back"):
        _with_policy(windows(), variant)


@pytest.mark.parametrize("text", ["alarm", "=3", "alarm="])
def test_named_values_have_a_name_and_a_value(text: str) -> None:
    """One line with the form."""
    with pytest.raises(InputError, match="NAME=VALUE"):
        named_values([text])


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"years": "lost"}, "there are no 'lost' years"),
        ({"years": "stored"}, "without known leaks"),
        ({"methods": ("nobody",)}, "no detection method 'nobody'"),
        ({"threshold": 3.0}, "that of one method"),
    ],
)
def test_plans_that_cannot_be_are_refused(asked: dict, told: str) -> None:
    """Before a town is simulated."""
    with pytest.raises(InputError, match=told):
        BacktestPlan(**asked)
