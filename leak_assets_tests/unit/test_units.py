"""Units: published factors, refusals with choices."""

import pytest

from leak_assets.errors import InputError
from leak_assets.sites.sensors import DEFAULT_UNIT
from leak_assets.units import si_conversion, si_factor, unit_by_name, unit_choices


@pytest.mark.parametrize(
    ("quantity", "unit", "one_is"),
    [
        ("pressure", "bar", 10.197),
        ("pressure", "psi", 0.7031),
        ("pressure", "kPa", 0.10197),
        ("level", "ft", 0.3048),
        ("flow", "L/s", 0.001),
        ("flow", "m3/h", 1 / 3600),
        ("demand", "L/h", 1 / 3.6e6),
        ("flow", "gpm", 0.001 / 15.850),
        ("flow", "ML/d", 1000 / 86400),
        ("flow", "ft3/s", 0.028317),
    ],
)
def test_published_factors(quantity: str, unit: str, one_is: float) -> None:
    """Factors agree with the figures of terms-and-metrics and NIST SP 811."""
    assert si_factor(quantity, unit) == pytest.approx(one_is, rel=1e-4)


def test_unknown_units_are_refused_with_choices() -> None:
    """A unit of another kind is refused, naming the ones that fit."""
    with pytest.raises(InputError, match=r"`gpm` does not measure pressure.*bar.*psi"):
        si_factor("pressure", "gpm")
    with pytest.raises(InputError, match=r"quantity `heat` is unknown.*pressure"):
        unit_choices("heat")


def test_default_units_of_layouts_fit_their_quantity() -> None:
    """The unit that a layout has without naming one can be converted."""
    assert all(unit in unit_choices(quantity) for quantity, unit in DEFAULT_UNIT.items())


def test_fahrenheit_has_another_zero() -> None:
    """Degrees Fahrenheit convert with their offset, both ways, and are never merely scaled."""
    conversion = si_conversion("temperature", "°F")
    assert [conversion.to_si(value) for value in (32.0, 212.0, -40.0)] == pytest.approx(
        [0.0, 100.0, -40.0]
    )
    assert conversion.from_si(37.0) == pytest.approx(98.6)
    assert unit_by_name("temperature", "fahrenheit") == "°F"
    with pytest.raises(InputError, match="no multiple"):
        si_factor("temperature", "°F")
