"""The exported network in onnxruntime: one thread, one order of operations."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .artefact import Artefact

INPUT = "input_features"


def open_session(onnx: bytes) -> Any:
    """Return an `onnxruntime.InferenceSession` on the CPU with one thread.

    Micro-batches are small and several runs share the machine: more threads cost more than they
    bring, and one thread keeps the order of sums.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])


class ExportedModel:
    """An artefact's network, ready to run.

    Parameters
    ----------
    artefact
        Verified model folder.
    """

    def __init__(self, artefact: "Artefact") -> None:
        self.artefact = artefact
        self._session = open_session(artefact.onnx)

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the last output (score or probabilities) of unscaled windows.

        Parameters
        ----------
        x
            [n, statistics, channels]; NaN where missing. A row's result depends on it alone.
        """
        # One window a call: the last bits of a result depend on the size of the call and on the
        # place in it, and a replay must give the same bits. A call takes 0.05 ms.
        scaled = self.artefact.scaler.transform(x)
        rows = [self._session.run(None, {INPUT: row[None]})[-1] for row in scaled]
        return np.concatenate(rows) if rows else np.zeros(0, dtype=np.float32)

    def run_chunk(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the last output of many windows in one call.

        A hundred times as fast as `run`; the last bits of a row depend on the whole call, so who
        needs the same bits makes the same calls.
        """
        # The network multiplies no matrix without rows.
        if not len(x):
            return np.zeros(0, dtype=np.float32)
        return np.asarray(self._session.run(None, {INPUT: self.artefact.scaler.transform(x)})[-1])

    def latency_ms(self, x: NDArray[np.float32], *, runs: int = 200) -> dict[str, float | None]:
        """Return how long one window takes, scaling included: `latency_ms_p50`, `_p95`, `_p99`.

        Parameters
        ----------
        x
            One window, [1, statistics, channels].
        """
        import time

        times = []
        for _ in range(runs):
            start = time.perf_counter()
            self._session.run(None, {INPUT: self.artefact.scaler.transform(x)})
            times.append((time.perf_counter() - start) * 1000.0)
        return {f"latency_ms_p{p}": float(np.percentile(times, p)) for p in (50, 95, 99)}
