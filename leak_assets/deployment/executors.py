"""How jobs are spread over processes and machines, by setting.

`build_defs(executor=...)` takes any other, for example Celery's or Kubernetes'; nothing else
knows which executor runs a job.
"""

import dagster as dg

from leak_assets.settings import Settings


def job_executor(settings: Settings) -> dg.ExecutorDefinition:
    """Return the executor of the jobs that take minutes: scenarios, signatures, training.

    The way of landed files runs in the process of its run whatever is set: each further process
    would cost a second of imports, and its steps take a few seconds together.
    """
    if settings.executor == "in_process":
        return dg.in_process_executor
    # One step at a time, in a process of its own, which gives its memory back: the steps use all
    # cores themselves.
    return dg.multiprocess_executor.configured({"max_concurrent": 1})
