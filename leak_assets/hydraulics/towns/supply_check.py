"""Which pipes can be closed without anyone running dry.

Only the check on the model; drawing the pipes of a town belongs in `town`.
"""

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import HydraulicError
from leak_assets.hydraulics.epanet.pressure_driven import make_pressure_driven
from leak_assets.hydraulics.epanet.project import (
    LINK_INITIAL_STATUS,
    NODE_PRESSURE,
    TIME_DURATION,
    TIME_HYDSTEP,
    EpanetProject,
)

# Share of his lowest pressure of the day that a customer must keep. Below, complaints would find
# the closed valve: on Hanoi ten of the sixteen smaller loop pipes leave somebody with 1 to 7 m.
SERVICE_SHARE = 0.7
_DAY_S, _STEP_S = 86400, 3600


class ServiceCheck:
    """One open EPANET project of a model, demands as in the model; a context manager.

    Parameters
    ----------
    model
        WNTR model; its demand becomes pressure driven.

    Raises
    ------
    HydraulicError
        EPANET cannot solve the model as it is.
    """

    def __init__(self, model: Any) -> None:
        import wntr

        make_pressure_driven(model)
        self._folder = Path(tempfile.mkdtemp(prefix="leak-assets-"))
        try:
            path = self._folder / "service.inp"
            wntr.network.write_inpfile(model, str(path), units="CMH", version=2.2)
            self._project = EpanetProject(path, self._folder)
            self._project.set_time(TIME_HYDSTEP, _STEP_S)
            self._project.set_time(TIME_DURATION, _DAY_S)
        except BaseException:
            shutil.rmtree(self._folder)
            raise
        customers = [
            name
            for name, junction in model.junctions()
            if any(d.base_value > 0 for d in junction.demand_timeseries_list)
        ]
        indices = [self._project.node_index(name) for name in customers]
        self._pressures = self._project.node_reader(indices, NODE_PRESSURE)
        self._lowest_m = self._lowest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._project.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def close_pipe(self, pipe: str) -> bool:
        """Close a pipe if everyone keeps pressure; return whether it is closed now.

        Every customer must keep `SERVICE_SHARE` of the lowest pressure that the model gives him
        over a day with all pipes open.
        """
        index = self._project.link_index(pipe)
        self._project.set_link(index, LINK_INITIAL_STATUS, 0)
        try:
            serves = bool((self._lowest() >= SERVICE_SHARE * self._lowest_m.clip(min=0)).all())
        except HydraulicError:
            serves = False  # EPANET stops where a part of the network is cut off.
        if not serves:
            self._project.set_link(index, LINK_INITIAL_STATUS, 1)
        return serves

    def _lowest(self) -> NDArray[np.float64]:
        """Return the lowest pressure of each customer over a day, m."""
        project = self._project
        project.open_hydraulics()
        lowest = np.full(self._pressures.values.shape, np.inf)
        is_over = False
        while not is_over:
            project.run()
            np.minimum(lowest, self._pressures(), out=lowest)
            is_over = project.next() == 0
        return lowest
