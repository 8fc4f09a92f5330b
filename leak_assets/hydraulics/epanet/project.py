"""One open EPANET project: open, set, step, read – thin, typed and fast.

Nothing about towns, leaks or sensors belongs here. The library is the EPANET 2.2 that WNTR
ships (`wntr.epanet.toolkit.ENepanet`); the time loop calls it directly, because WNTR's wrapper
costs four times the call itself.
"""

import ctypes
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import HydraulicError

# Codes of the EPANET 2.2 toolkit (epanet2_enums.h).
NODE_EMITTER, NODE_DEMAND, NODE_HEAD, NODE_PRESSURE, NODE_TANK_LEVEL = 3, 9, 10, 11, 8
LINK_INITIAL_STATUS, LINK_FLOW, LINK_VELOCITY, LINK_STATUS = 4, 8, 9, 11
LINK_SETTING, LINK_PUMP_STATE = 12, 16
STAT_DEFICIENT_NODES = 5
TIME_DURATION, TIME_HYDSTEP, TIME_PATTERNSTEP, TIME_PATTERNSTART, TIME_STARTTIME = 0, 1, 3, 4, 10
TIME_REPORTSTEP = 5
COUNT_CONTROLS = 5
WARN_UNBALANCED, WARN_UNSTABLE, WARN_DISCONNECTED, WARN_PUMP, WARN_VALVE, WARN_NEGATIVE = range(
    1, 7
)
_FIRST_ERROR = 100


@dataclass(frozen=True)
class Control:
    """One simple control, numbers as EPANET has them; `link` 0 is a control that is off."""

    kind: int
    link: int
    setting: float
    node: int
    level: float


class Reader:
    """Reads one value of many elements into a preallocated array, without copies."""

    def __init__(self, function: Any, project: Any, indices: Sequence[int], code: int) -> None:
        self.values = np.zeros(len(indices))
        self._buffer = (ctypes.c_double * len(indices)).from_address(self.values.ctypes.data)
        self._function = function
        kind = ctypes.c_int(code)
        self._calls = [
            (project, ctypes.c_int(index), kind, ctypes.byref(self._buffer, 8 * k))
            for k, index in enumerate(indices)
        ]

    def __call__(self) -> NDArray[np.float64]:
        """Read all values; the returned array is overwritten by the next call."""
        # The fastest way in Python to make calls for what they do, not what they return.
        deque(starmap(self._function, self._calls), maxlen=0)
        return self.values


class EpanetProject:
    """An open EPANET project; closes and deletes itself as a context manager.

    Parameters
    ----------
    inp_path
        Model file to open.
    folder
        Private folder for EPANET's report and output files.

    Raises
    ------
    HydraulicError
        EPANET refuses the model; the message quotes its report.
    """

    def __init__(self, inp_path: Path, folder: Path) -> None:
        from wntr.epanet.toolkit import ENepanet

        toolkit = ENepanet(version=2.2)
        self._lib = toolkit.ENlib
        # Pointers are 64 bit; without this ctypes passes the address of the project as an int.
        self._project = ctypes.c_uint64()
        self._report = folder / f"{inp_path.stem}.rpt"
        self.now_s = 0
        self._is_open = False
        self._lib.EN_createproject(ctypes.byref(self._project))
        code = self._lib.EN_open(
            self._project,
            str(inp_path).encode(),
            str(self._report).encode(),
            str(folder / f"{inp_path.stem}.out").encode(),
        )
        if code >= _FIRST_ERROR:
            self._delete()
            raise HydraulicError(f"EPANET cannot open {inp_path.name}: {self._report_lines(code)}")
        self._is_open = True
        self._indices: dict[tuple[str, str], int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the project and free its memory; closing twice does nothing."""
        if self._is_open:
            self._is_open = False
            self._lib.EN_closeH(self._project)
            self._lib.EN_close(self._project)
            self._delete()

    def node_index(self, name: str) -> int:
        """Return EPANET's index of a node."""
        return self._index("EN_getnodeindex", name)

    def link_index(self, name: str) -> int:
        """Return EPANET's index of a link."""
        return self._index("EN_getlinkindex", name)

    def pattern_index(self, name: str) -> int:
        """Return EPANET's index of a time pattern."""
        return self._index("EN_getpatternindex", name)

    def node_reader(self, indices: Sequence[int], code: int) -> Reader:
        """Return a reader of one value of many nodes."""
        return Reader(self._lib.EN_getnodevalue, self._project, indices, code)

    def link_reader(self, indices: Sequence[int], code: int) -> Reader:
        """Return a reader of one value of many links."""
        return Reader(self._lib.EN_getlinkvalue, self._project, indices, code)

    def set_time(self, code: int, value_s: int) -> None:
        """Set a time parameter in seconds."""
        self._check(self._lib.EN_settimeparam(self._project, code, ctypes.c_long(value_s)))

    def set_node(self, index: int, code: int, value: float) -> None:
        """Set a value of a node."""
        self._check(self._lib.EN_setnodevalue(self._project, index, code, ctypes.c_double(value)))

    def set_link(self, index: int, code: int, value: float) -> None:
        """Set a value of a link."""
        self._check(self._lib.EN_setlinkvalue(self._project, index, code, ctypes.c_double(value)))

    def set_pattern(self, index: int, values: NDArray[np.float64]) -> None:
        """Replace the multipliers of a time pattern (contiguous float64)."""
        # `ctypes.data_as` would take longer than the call.
        address = ctypes.c_void_p(values.__array_interface__["data"][0])
        self._check(self._lib.EN_setpattern(self._project, index, address, len(values)))

    def set_pattern_value(self, index: int, period: int, value: float) -> None:
        """Set one multiplier of a time pattern; `period` counts from 1."""
        self._check(
            self._lib.EN_setpatternvalue(self._project, index, period, ctypes.c_double(value))
        )

    def control_count(self) -> int:
        """Return the number of simple controls."""
        count = ctypes.c_int()
        self._check(self._lib.EN_getcount(self._project, COUNT_CONTROLS, ctypes.byref(count)))
        return count.value

    def control(self, number: int) -> Control:
        """Return a simple control; `number` counts from 1."""
        kind, link, node = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
        setting, level = ctypes.c_double(), ctypes.c_double()
        targets = (ctypes.byref(field) for field in (kind, link, setting, node, level))
        self._check(self._lib.EN_getcontrol(self._project, number, *targets))
        return Control(kind.value, link.value, setting.value, node.value, level.value)

    def set_control(self, number: int, control: Control) -> None:
        """Replace a simple control."""
        self._check(
            self._lib.EN_setcontrol(
                self._project,
                number,
                control.kind,
                control.link,
                ctypes.c_double(control.setting),
                control.node,
                ctypes.c_double(control.level),
            )
        )

    def suspend_control(self, number: int) -> None:
        """Turn a simple control off; `set_control` with what it was turns it on again."""
        self.set_control(number, Control(0, 0, 0.0, 0, 0.0))

    def statistic(self, code: int) -> float:
        """Return a statistic of the last hydraulic solution."""
        value = ctypes.c_double()
        self._check(self._lib.EN_getstatistic(self._project, code, ctypes.byref(value)))
        return value.value

    def open_hydraulics(self) -> None:
        """Start over: time 0, tanks at their initial level, flows re-initialized."""
        self._lib.EN_closeH(self._project)
        self.now_s = 0
        self._check(self._lib.EN_openH(self._project))
        self._check(self._lib.EN_initH(self._project, 10))

    def run(self) -> int:
        """Solve the current time and return EPANET's warning code (0: none).

        Raises
        ------
        HydraulicError
            EPANET stopped.
        """
        now = ctypes.c_long()
        code: int = self._lib.EN_runH(self._project, ctypes.byref(now))
        self.now_s = now.value
        self._check(code)
        return code

    def next(self) -> int:
        """Advance to the next hydraulic event and return the seconds until then."""
        step = ctypes.c_long()
        self._check(self._lib.EN_nextH(self._project, ctypes.byref(step)))
        return step.value

    def _index(self, function: str, name: str) -> int:
        if (function, name) not in self._indices:
            index = ctypes.c_int()
            code = getattr(self._lib, function)(self._project, name.encode(), ctypes.byref(index))
            self._check(code, name)
            self._indices[function, name] = index.value
        return self._indices[function, name]

    def _check(self, code: int, element: str = "") -> None:
        if code >= _FIRST_ERROR:
            where = f" at {element!r}" if element else ""
            raise HydraulicError(
                f"EPANET error {code}{where} at {clock(self.now_s)} of the simulation:"
                f" {error_text(code)}"
            )

    def _delete(self) -> None:
        self._lib.EN_deleteproject(self._project)
        self._project = ctypes.c_uint64()

    def _report_lines(self, code: int) -> str:
        lines = [error_text(code)]
        if self._report.is_file():
            text = self._report.read_text("utf-8", errors="replace").splitlines()
            lines += [line.strip() for line in text if "Error" in line]
        return "; ".join(dict.fromkeys(lines))


def error_text(code: int) -> str:
    """Return EPANET's words for an error code."""
    from wntr.epanet.exceptions import EN_ERROR_CODES

    return str(EN_ERROR_CODES.get(code, "unknown error")).replace(" %s", "")


def clock(seconds: int) -> str:
    """Return a simulation time as `26:05:00`."""
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"
