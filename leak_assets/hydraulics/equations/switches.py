"""When links change their status: check valves, pumps, pressure and flow control valves.

The rules of EPANET 2.2 (hydstatus.c), asked whether a state's statuses outlive a change.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .elements import Floats, Law

# EPANET's own tolerances of head and flow in questions of status (0.0005 ft, 0.0001 ft3/s).
HEAD_TOLERANCE_M = 0.0005 * 0.3048
FLOW_TOLERANCE_M3_PER_S = 0.0001 * 0.3048**3


@dataclass(frozen=True)
class Switch:
    """A link that EPANET may open, close or let go.

    Parameters
    ----------
    link
        Number of the link.
    kind
        `one_way` (check valves, pumps, links at full or empty tanks), `PRV`, `PSV` or `FCV`.
    setting
        Head in m (`PRV`, `PSV`), flow in m3/s (`FCV`), shutoff head in m (pumps).
    minor
        Loss of the open valve, m of m·q·|q|.
    """

    link: int
    kind: str
    setting: float = 0.0
    minor: float = 0.0

    def stays(
        self, law: Law, before: float, start: Floats, end: Floats, flow: Floats
    ) -> NDArray[np.bool_]:
        """Return where the link keeps its status (K).

        Parameters
        ----------
        law
            What it follows now.
        before
            Flow before the change, m3/s.
        start, end
            Heads at its ends after it, m (K).
        flow
            Flow after it, m3/s (K).
        """
        closed = law == Law.RESISTANCE and abs(before) < FLOW_TOLERANCE_M3_PER_S
        forward = flow > -FLOW_TOLERANCE_M3_PER_S
        if self.kind == "one_way" and closed:
            stays = start - end + self.setting < HEAD_TOLERANCE_M
        elif self.kind == "one_way":
            stays = forward if before >= 0 else flow < FLOW_TOLERANCE_M3_PER_S
        elif self.kind == "FCV":
            stays = start - end > -HEAD_TOLERANCE_M if law == Law.FLOW else flow < self.setting
        elif closed:
            drives = (start > end + HEAD_TOLERANCE_M) & self._asks(start, end)
            stays = ~drives
        else:
            # An active valve takes head away; one that is open finds too little, or too much.
            loss = self.minor * flow**2
            up, down = start - self.setting, end - self.setting
            if self.kind == "PRV":
                active, idle = up - loss > -HEAD_TOLERANCE_M, down < HEAD_TOLERANCE_M
            else:
                active, idle = down + loss < HEAD_TOLERANCE_M, up > -HEAD_TOLERANCE_M
            stays = forward & (active if law == Law.HEAD else idle)
        return np.asarray(stays)

    def _asks(self, start: Floats, end: Floats) -> NDArray[np.bool_]:
        """Return where a closed valve has a reason to open (K)."""
        if self.kind == "PRV":
            return np.asarray(end < self.setting - HEAD_TOLERANCE_M)
        return np.asarray(start > self.setting - HEAD_TOLERANCE_M)
