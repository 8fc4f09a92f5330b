"""The onnxruntime session: one thread, one order of operations."""

from typing import Any


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
