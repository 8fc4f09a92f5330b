"""What a leak costs, how severe it is, and which method may say so."""

import pytest

from leak_assets.errors import InputError
from leak_assets.incidents.policy import METHODS, raising_method
from leak_assets.incidents.value import severity, value_eur
from leak_assets.settings import Settings


@pytest.mark.parametrize(
    ("flow", "expected"), [(0.0, "low"), (4.99, "low"), (5.0, "medium"), (15.0, "high")]
)
def test_severity_follows_the_flow(flow: float, expected: str) -> None:
    """Limits belong to the higher class."""
    assert severity(flow) == expected


@pytest.mark.parametrize(
    ("flow", "before", "expected"),
    [
        (4.6, "medium", "medium"),
        (4.4, "medium", "low"),
        (14.0, "high", "high"),
        (13.0, "high", "medium"),
        (4.6, "high", "medium"),
        (4.4, "high", "low"),
        (4.9, "low", "low"),
        (14.9, "medium", "medium"),
        (15.0, "low", "high"),
    ],
)
def test_severity_falls_only_clearly_below_its_limit(
    flow: float, before: str, expected: str
) -> None:
    """It rises at once and falls a tenth below."""
    assert severity(flow, before) == expected


def test_water_is_worth_its_price() -> None:
    """Euro per cubic meter."""
    assert value_eur(100.0, 0.8) == pytest.approx(80.0)


def test_the_method_that_raises_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The likelihood method by default, another by the environment."""
    monkeypatch.delenv("INCIDENT_METHOD", raising=False)
    assert raising_method(Settings(_env_file=None)) == "likelihood"
    for name in METHODS:
        monkeypatch.setenv("INCIDENT_METHOD", name)
        assert raising_method(Settings(_env_file=None)) == name


def test_a_method_that_is_not_registered_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that names the setting, the value and the choices."""
    monkeypatch.setenv("INCIDENT_METHOD", "oracle")
    with pytest.raises(InputError, match=r"INCIDENT_METHOD=oracle is.*likelihood, windows$"):
        raising_method(Settings(_env_file=None))
    assert raising_method(Settings(_env_file=None), methods=("oracle",)) == "oracle"
