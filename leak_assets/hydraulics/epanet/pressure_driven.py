"""How demand depends on pressure (Wagner), for every model that is solved here."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

MINIMUM_PRESSURE_M = 0.0
# Below this pressure demand is delivered in part. The model's own value counts where it asks for
# pressure driven demand itself; 2.5 bar is what many codes ask for at the tap, and with it a
# 50 mm hole at node 12 of Hanoi gives the reference of 27.90 L/s.
REQUIRED_PRESSURE_M = 25.0
PRESSURE_EXPONENT = 0.5


def make_pressure_driven(model: Any) -> None:
    """Set a WNTR model's options to pressure driven demand; its own limits stay if it has any."""
    options = model.options.hydraulic
    if options.demand_model in ("PDD", "PDA"):
        options.required_pressure = max(options.required_pressure, options.minimum_pressure + 0.1)
    else:
        options.minimum_pressure = MINIMUM_PRESSURE_M
        options.required_pressure = REQUIRED_PRESSURE_M
        options.pressure_exponent = PRESSURE_EXPONENT
    options.demand_model = "PDD"


def delivered_share(model: Any, pressure_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of demand that a pressure delivers, 0 to 1, same shape.

    Wagner: ((p - minimum) / (required - minimum))^exponent, with the model's limits after
    `make_pressure_driven`.
    """
    options = model.options.hydraulic
    span = options.required_pressure - options.minimum_pressure
    share: NDArray[np.float64] = ((pressure_m - options.minimum_pressure) / span).clip(0, 1)
    return share**options.pressure_exponent
