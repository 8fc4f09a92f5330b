"""Scoring window features with the exported models, without torch.

What the models say of each window belongs here; what follows from it belongs in `incidents`.
"""

from pathlib import Path

import numpy as np
import polars as pl

from leak_assets.errors import InputError
from leak_assets.features.windows import SPEC
from leak_assets.models.artefact import Artefact, load_artefact
from leak_assets.models.config import DETECTOR, PINPOINTER
from leak_assets.models.dataset import window_set
from leak_assets.models.session import ExportedModel
from leak_assets.sites.provenance import Provenance
from leak_assets.units import SECONDS_PER_HOUR
from leak_assets.warehouse.schemas.detection import WINDOW_CANDIDATES, WINDOW_SCORES

METHOD = "windows"
CANDIDATES = 20
MAX_MISSING_SHARE = 0.30
INFLOW = "flow/inflow"


class Scorer:
    """The detector and the pinpointer in use.

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
        self._detect = ExportedModel(self.detector)
        self._pinpoint = None if self.pinpointer is None else ExportedModel(self.pinpointer)

    def score_windows(self, features: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Score the windows of a network.

        Parameters
        ----------
        features
            Rows of `features.windows` of one network.

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
            The features are of another network than the models.
        """
        if features.is_empty():
            return WINDOW_SCORES.empty(), WINDOW_CANDIDATES.empty()
        self._check_network(features)
        model = self.detector
        windows = window_set(features, model.statistics, channels=model.channels)
        channels = len(model.channels)
        used = windows.usable.sum(axis=1)
        enough = (channels - used) <= MAX_MISSING_SHARE * channels
        score = np.full(len(windows), np.nan)
        score[enough] = self._detect.run(windows.values[enough])
        # As float32: the exported label compares in float32 too.
        alarm = enough & (score.astype(np.float32) >= np.float32(model.alarm_threshold))
        inflow = features.filter(pl.concat_str("quantity", pl.lit("/"), "sensor_id") == INFLOW)
        leak_flow = inflow.select(
            "window_start", leak_flow_m3_per_h=pl.col("mean_si") * SECONDS_PER_HOUR
        )
        scores = (
            windows.index.select("window_start", "window_end")
            .join(leak_flow, on="window_start", how="left", maintain_order="left")
            .with_columns(
                pl.lit(model.network).alias("network"),
                pl.Series("anomaly_score", score).fill_nan(None),
                pl.lit(model.alarm_threshold).alias("threshold"),
                pl.Series("is_alarm", alarm),
                pl.Series("state", np.where(enough, "scored", "insufficient_data").astype(object)),
                pl.Series("channels_used", used.astype(np.int64)),
                pl.lit(channels, dtype=pl.Int64).alias("channels"),
                pl.lit(METHOD).alias("method"),
                pl.lit(model.version).alias("method_version"),
            )
        )
        schema = WINDOW_SCORES.polars_schema
        table = scores.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
        return table, self._candidates(features, windows.index.filter(pl.Series(alarm)))

    def _candidates(self, features: pl.DataFrame, alarmed: pl.DataFrame) -> pl.DataFrame:
        if self._pinpoint is None or alarmed.is_empty():
            return WINDOW_CANDIDATES.empty()
        model = self._pinpoint.artefact
        chosen = features.join(alarmed.select("window_start"), on="window_start", how="semi")
        windows = window_set(chosen, model.statistics, channels=model.channels)
        probability = self._pinpoint.run(windows.values).astype(np.float64)
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

    def _check_network(self, features: pl.DataFrame) -> None:
        names = features["network"].unique().sort().to_list()
        if names != [self.detector.network]:
            message = f"windows of {', '.join(names)}, models of {self.detector.network}"
            raise InputError(message, remedy="Score each network with its own models.")


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
    if artefact.window != SPEC:
        message = f"{artefact.model} {artefact.version} reads windows of {artefact.window}"
        raise InputError(message, remedy="Train again.", file=artefact.folder)
    if artefact.model != kind:
        message = f"is a {artefact.model}, not a {kind}"
        raise InputError(message, remedy="Give the other folder.", file=artefact.folder)
    return artefact
