"""Anderson's acceleration of a fixed-point iteration, for many unknowns at once and each alone.

Numbers only; what is iterated is the caller's.
"""

import numpy as np
from numpy.typing import NDArray

# Two steps back are enough: what converges badly is one loop or two near a leak.
_DEPTH = 2
_REGULAR = 1e-10

Floats = NDArray[np.float64]


class Acceleration:
    """Mixes the last steps so that the residual is least.

    Anderson 1965, doi:10.1145/321296.321305. Columns are problems of their own; they may drop
    out on the way.
    """

    def __init__(self) -> None:
        self._points: list[Floats] = []
        self._residuals: list[Floats] = []

    def next(self, point: Floats, residual: Floats, keep: NDArray[np.bool_]) -> Floats:
        """Return the next points of the columns that stay (M × kept).

        Parameters
        ----------
        point
            Where the iteration is (M × K).
        residual
            Step of the plain iteration from there (M × K).
        keep
            Columns that go on (K).
        """
        self._points = [one[:, keep] for one in [*self._points[-_DEPTH:], point]]
        self._residuals = [one[:, keep] for one in [*self._residuals[-_DEPTH:], residual]]
        point, residual = self._points[-1], self._residuals[-1]
        moved = [b - a for a, b in zip(self._points, self._points[1:], strict=False)]
        bent = [b - a for a, b in zip(self._residuals, self._residuals[1:], strict=False)]
        if not bent:
            return point + residual
        products = np.array([[(a * b).sum(axis=0) for b in bent] for a in bent])
        wanted = np.array([(a * residual).sum(axis=0) for a in bent])
        normal = np.moveaxis(products, 2, 0)
        trace = np.trace(normal, axis1=1, axis2=2)[:, None, None]
        normal = normal + (_REGULAR * trace + np.finfo(np.float64).tiny) * np.eye(len(bent))
        weights = np.linalg.solve(normal, wanted.T[:, :, None])[:, :, 0]
        after = point + residual
        for number, (step, bend) in enumerate(zip(moved, bent, strict=True)):
            after -= weights[:, number] * (step + bend)
        return after
