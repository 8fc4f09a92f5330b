"""How jobs are spread: one executor for each kind of job, by setting.

`build_defs(executors=...)` takes another mapping with the same keys, for example of Celery's or
Kubernetes' executor; nothing else knows which executor runs a job.
"""

from collections.abc import Mapping
from typing import Literal

import dagster as dg

from leak_assets.settings import Settings

# What a job does: the way of landed files, scenario batches, training and evaluation.
JobKind = Literal["micro_batch", "scenarios", "training"]
Executors = Mapping[JobKind, dg.ExecutorDefinition]


def executors(settings: Settings) -> Executors:
    """Return the executor of each kind of job.

    The micro-batch runs in the process of its run whatever is set: each further process would
    cost a second of imports, and its steps take a few seconds together.
    """
    return {
        "micro_batch": dg.in_process_executor,
        "scenarios": _heavy(settings),
        "training": _heavy(settings),
    }


def _heavy(settings: Settings) -> dg.ExecutorDefinition:
    if settings.executor == "in_process":
        return dg.in_process_executor
    # One step at a time, in a process of its own, which gives its memory back: the steps use all
    # cores themselves.
    return dg.multiprocess_executor.configured({"max_concurrent": 1})
