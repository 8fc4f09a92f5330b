"""The asset of the backtests: what each method is worth on a generated town, in euro."""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from leak_assets.defs.partitions import SITES
from leak_assets.defs.resources import Platform
from leak_assets.pipeline.code import code_version

KEY = ["detection", "backtests"]


class BacktestConfig(dg.Config):
    """What to value; see `leak-assets backtest --help`."""

    seed: int = 1
    days: int = 30
    history_days: int = 21
    methods: list[str] = Field(default_factory=list)


@dg.asset(
    key=KEY,
    partitions_def=SITES,
    backfill_policy=dg.BackfillPolicy.multi_run(),
    deps=[["network", "links"], ["models", "registry_events"]],
    code_version=code_version("leak_assets.benchmark.backtest"),
    description="What methods are worth on a generated town.",
)
def backtests(
    context: dg.AssetExecutionContext, platform: Platform, config: BacktestConfig
) -> Iterator[dg.MaterializeResult]:
    """What each registered method, and doing nothing, is worth on a generated town."""
    # The simulator and the models come with it.
    from leak_assets.benchmark.backtest import BacktestPlan, run_backtests

    ctx = platform.of(context)
    site = ctx.registered_network(context.partition_key)
    plan = BacktestPlan(
        methods=tuple(config.methods),
        seed=config.seed,
        days=config.days,
        history_days=config.history_days,
    )
    rows = run_backtests(ctx, site, plan)
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": rows.height,
            **{f"value_eur/{row['variant']}": row["value_eur"] for row in rows.to_dicts()},
            **{f"net_eur/{row['variant']}": row["net_eur"] for row in rows.to_dicts()},
        }
    )


BACKTEST = dg.define_asset_job(
    "backtest",
    selection=dg.AssetSelection.assets(KEY),
    description="Methods in euro on a generated town of a network.",
)
