"""Resources of the assets: the context that steps run in."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg

from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets.warehouse import Warehouse

# Dagster's own tag of the runs of a backfill.
BACKFILL_TAG = "dagster/backfill"


class Platform(dg.ConfigurableResource):
    """The platform's folders; empty means `LEAK_ASSETS_HOME` or the working folder."""

    home: str = ""

    def settings(self) -> Settings:
        """Return the settings with the resource's home."""
        settings = Settings()
        return settings.model_copy(update={"home": Path(self.home)}) if self.home else settings

    def at(
        self,
        run_id: str,
        progress: Callable[[str], None] | None = None,
        *,
        reopens: bool = False,
    ) -> StepContext:
        """Return the context of a run's steps."""
        settings = self.settings()
        warehouse = Warehouse.from_settings(settings, run_id=run_id)
        return StepContext(
            warehouse, settings, progress or (lambda _message: None), reopens=reopens
        )

    def of(
        self,
        context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
        progress: Callable[[str], None] | None = None,
    ) -> StepContext:
        """Return the context of the run that `context` belongs to; progress goes to its log.

        A backfill is asked for by a person: it takes in what came after the correction window.
        """
        return self.at(
            context.run.run_id,
            progress or context.log.info,
            reopens=BACKFILL_TAG in context.run.tags,
        )
