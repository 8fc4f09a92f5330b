"""Runs that failed, as rows: for monitoring, where Dagster's storage is not asked.

Who is told of them is the matter of `incidents.notifications`.
"""

from datetime import UTC, datetime

import polars as pl

from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas.audit import FAILED_RUNS

TABLE = FAILED_RUNS.full_name
_LONGEST_PROBLEM = 1000


def record_failed_run(
    warehouse: Warehouse, run_id: str, *, job: str, site: str | None, problem: str
) -> None:
    """Write that a run failed; told again, its row stays one.

    Raises
    ------
    OSError
        The disk refuses.
    """
    row = {
        "run_id": run_id,
        "job": job,
        "site": site,
        "failed_at": datetime.now(UTC),
        "problem": problem[:_LONGEST_PROBLEM],
    }
    partition = {"run": run_id}
    if warehouse.read(TABLE, partition) is None:
        warehouse.write(TABLE, partition, pl.DataFrame([row], schema=FAILED_RUNS.polars_schema))
