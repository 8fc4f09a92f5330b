"""The data contract of a site's readings: what telemetry must be, and when a value is judged.

The contracts of all other tables are `warehouse.contract`; which check blocks is decided there.
"""

from functools import cache, lru_cache
from pathlib import Path

from pydantic import Field, model_validator

from leak_assets.system.clock import is_timezone
from leak_assets.units import SI_UNITS
from leak_assets.warehouse.contract import Strict, TableContract, read_contract

# In the folder of configurations of a home it takes the place of the packaged one.
OWN_CONTRACT = "readings.yaml"
DEFAULT_CONTRACT = Path(__file__).parent / "contracts" / "readings.yaml"


class Range(Strict):
    """Physically possible values of a quantity in its SI unit, and when it counts as stuck.

    Parameters
    ----------
    flat_after_s
        How long a sensor may repeat one value.
    """

    unit: str
    min: float
    max: float
    flat_after_s: int = Field(gt=0)


class Contract(TableContract):
    """What validated telemetry of one site looks like."""

    source_timezone: str
    cadence_s: int = Field(gt=0)
    max_interpolated_steps: int = Field(ge=0)
    outlier_sigma: float = Field(gt=0)
    max_missing_share: float = Field(ge=0, le=1)
    max_age_s: int = Field(gt=0)
    quantities: dict[str, Range]

    @model_validator(mode="after")
    def _fits_the_platform(self) -> "Contract":
        if not is_timezone(self.source_timezone):
            raise ValueError(f"source_timezone `{self.source_timezone}` is no IANA time zone")
        if 86_400 % self.cadence_s:
            raise ValueError(f"cadence_s {self.cadence_s} does not divide a day")
        if set(self.quantities) != set(SI_UNITS):
            raise ValueError(f"quantities must be {', '.join(SI_UNITS)}")
        for quantity, allowed in self.quantities.items():
            if allowed.unit != SI_UNITS[quantity]:
                raise ValueError(f"quantities.{quantity}.unit must be `{SI_UNITS[quantity]}`")
            if allowed.min >= allowed.max:
                raise ValueError(f"quantities.{quantity}.min must be below its max")
        return self

    def flat_after_steps(self, quantity: str) -> int:
        """Return how many readings in a row with one value are one too many; at least 6."""
        return max(6, self.quantities[quantity].flat_after_s // self.cadence_s)


@cache
def _packaged() -> Contract:
    return read_contract(DEFAULT_CONTRACT, Contract)


def load_contract(path: Path | None = None) -> Contract:
    """Read a contract of readings; the packaged one without a path.

    Raises
    ------
    InputError
        If the file is missing, is no YAML mapping, or has an unknown, missing or wrong key; the
        key and the file are named.
    """
    if path is None:
        return _packaged()
    state = path.stat() if path.is_file() else None
    return _read(path, state and (state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=16)
def _read(path: Path, _state: tuple[int, int] | None) -> Contract:
    return read_contract(path, Contract, DEFAULT_CONTRACT)
