"""Scoring windows of residuals with the exported models, without torch.

What the models say of each window belongs here; what follows from it belongs in `incidents`.
"""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.features.grid import window_grid
from leak_assets.models.artefact import Artefact, load_artefact
from leak_assets.models.config import DETECTOR, PINPOINTER
from leak_assets.models.dataset import WindowSet, operation_set
from leak_assets.models.session import open_session
from leak_assets.sites.provenance import Provenance
from leak_assets.units import SECONDS_PER_HOUR
from leak_assets.warehouse.schemas.detection import WINDOW_CANDIDATES, WINDOW_SCORES

METHOD = "windows"
CANDIDATES = 20
MAX_MISSING_SHARE = 0.30
INFLOW = "flow/inflow"
# Windows in one call of onnxruntime, filled up with zeros: the last bits of a score depend on the
# size of the call, and a replay must give the same bits. A day has 48 windows.
_CALL = 64


class Scorer:
    """The detector and the pinpointer in force.

    Parameters
    ----------
    detector
        Artefact or its folder.
    pinpointer
        Artefact or its folder; without it there are no candidates.
    provenance
        The network as it is now; without it the models are taken as they are.

    Raises
    ------
    InputError
        A folder is not a verified model, the two models are of different networks, or one was
        trained on another network model or sensor layout than today's.
    """

    def __init__(
        self,
        detector: Artefact | Path,
        pinpointer: Artefact | Path | None = None,
        *,
        provenance: Provenance | None = None,
    ) -> None:
        self.detector = _of_kind(detector, DETECTOR)
        self.pinpointer = None if pinpointer is None else _of_kind(pinpointer, PINPOINTER)
        if self.pinpointer is not None and self.pinpointer.network != self.detector.network:
            message = (
                f"detector of {self.detector.network}, pinpointer of {self.pinpointer.network}"
            )
            raise InputError(message, remedy="Give two models of one network.")
        for model in (self.detector, self.pinpointer):
            if model is not None and provenance is not None:
                _check_provenance(model, provenance)
        self._detect = open_session(self.detector.onnx)
        self._pinpoint = None if self.pinpointer is None else open_session(self.pinpointer.onnx)

    def score_windows(
        self, residuals: pl.DataFrame, *, day: date | None = None
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Score the windows of a network.

        Parameters
        ----------
        residuals
            Rows of `features.residuals` of one network: the day and, as context, the day before.
        day
            Score only windows whose last step falls in this UTC day.

        Returns
        -------
        tuple of polars.DataFrame
            Rows of `detection.window_scores`, ordered by time, and of
            `detection.window_candidates`: the 20 likeliest pipes of each alarmed window. A window
            in which more than 30 % of the channels have less than half of their points is
            `insufficient_data`: no score, no alarm. A window's row depends on the window alone.

        Raises
        ------
        InputError
            The residuals are of another network than the models.
        """
        if residuals.is_empty():
            return WINDOW_SCORES.empty(), WINDOW_CANDIDATES.empty()
        self._check_network(residuals)
        model = self.detector
        windows = operation_set(residuals, model.window, model.channels, day=day)
        x = windows.inputs()
        channels = len(model.channels)
        used = (2 * x[:, channels:].sum(axis=2) >= model.window.points).sum(axis=1)
        enough = (channels - used) <= MAX_MISSING_SHARE * channels
        score = np.full(len(windows), np.nan)
        score[enough] = self._run(self._detect, model, x[enough])
        threshold = 1.0 if model.threshold is None else model.threshold
        # As float32: the exported label compares in float32 too.
        alarm = enough & (score.astype(np.float32) >= np.float32(threshold))
        scores = windows.index.select("window_start", "window_end").with_columns(
            pl.lit(model.network).alias("network"),
            pl.Series("anomaly_score", score).fill_nan(None),
            pl.lit(threshold).alias("threshold"),
            pl.Series("is_alarm", alarm),
            pl.Series("state", np.where(enough, "scored", "insufficient_data").astype(object)),
            pl.Series("channels_used", used.astype(np.int64)),
            pl.lit(channels, dtype=pl.Int64).alias("channels"),
            pl.Series("leak_flow_m3_per_h", self._leak_flow(residuals, day)).fill_nan(None),
            pl.lit(METHOD).alias("method"),
            pl.lit(model.version).alias("method_version"),
        )
        schema = WINDOW_SCORES.polars_schema
        table = scores.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
        return table, self._candidates(residuals, windows.select(alarm), day)

    def _candidates(
        self, residuals: pl.DataFrame, alarmed: WindowSet, day: date | None
    ) -> pl.DataFrame:
        model = self.pinpointer
        if model is None or len(alarmed) == 0:
            return WINDOW_CANDIDATES.empty()
        windows = operation_set(residuals, model.window, model.channels, day=day)
        chosen = windows.index["window_start"].is_in(alarmed.index["window_start"].implode())
        windows = windows.select(chosen.to_numpy())
        probability = self._run(self._pinpoint, model, windows.inputs()).astype(np.float64)
        top = min(CANDIDATES, len(model.link_ids))
        # A stable sort: equal probabilities keep the order of the pipes.
        order = np.argsort(-probability, axis=1, kind="stable")[:, :top]
        n = len(windows)
        names = np.array(model.link_ids, dtype=object)
        rows = np.repeat(np.arange(n), top)
        return pl.DataFrame(
            {
                "network": pl.repeat(model.network, n * top, eager=True),
                "method": pl.repeat(METHOD, n * top, eager=True),
                "method_version": pl.repeat(model.version, n * top, eager=True),
                "window_start": windows.index["window_start"].gather(rows),
                "window_end": windows.index["window_end"].gather(rows),
                "rank": np.tile(np.arange(1, top + 1), n),
                "link_id": pl.Series(names[order.ravel()], dtype=pl.String),
                "probability": np.take_along_axis(probability, order, axis=1).ravel(),
            },
            schema=WINDOW_CANDIDATES.polars_schema,
        )

    def _leak_flow(self, residuals: pl.DataFrame, day: date | None) -> NDArray[np.float64]:
        """Mean residual of the inflow in each window, m3/h; NaN where it has no usable point."""
        # All rows, so that the windows are those of the detector; only the inflow's values.
        grid = window_grid(
            residuals, self.detector.window, value="residual_si", channels=(INFLOW,), day=day
        )
        x = grid.windows[grid.group, 0, grid.place]
        count = np.isfinite(x).sum(axis=1)
        total = np.where(np.isfinite(x), x, 0.0).sum(axis=1)
        return np.where(count > 0, total / np.maximum(count, 1) * SECONDS_PER_HOUR, np.nan)

    def _check_network(self, residuals: pl.DataFrame) -> None:
        names = residuals["network"].unique().sort().to_list()
        if names != [self.detector.network]:
            message = f"residuals of {', '.join(names)}, models of {self.detector.network}"
            raise InputError(message, remedy="Score each network with its own models.")

    @staticmethod
    def _run(session: Any, model: Artefact, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the last output of the network for scaled windows."""
        scaled = model.scaler.transform(x)
        parts = []
        for i in range(0, len(scaled), _CALL):
            part = np.zeros((_CALL, *scaled.shape[1:]), dtype=np.float32)
            rows = scaled[i : i + _CALL]
            part[: len(rows)] = rows
            parts.append(session.run(None, {"input_features": part})[-1][: len(rows)])
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def _check_provenance(model: Artefact, now: Provenance) -> None:
    # Channels of sensors that are gone would count as missing, and a changed model moves what the
    # twin expects: the scores would be wrong, not absent.
    if differences := now.differences(model.manifest):
        message = (
            f"{model.model} {model.version} was trained on another {' and '.join(differences)}"
            f" of {model.network}"
        )
        raise InputError(
            message, remedy=f"Train again: `leak-assets train --network {model.network}`"
        )


def _of_kind(source: Artefact | Path, kind: str) -> Artefact:
    artefact = load_artefact(source) if isinstance(source, Path) else source
    if artefact.model != kind:
        message = f"is a {artefact.model}, not a {kind}"
        raise InputError(message, remedy="Give the other folder.", file=artefact.folder)
    return artefact
