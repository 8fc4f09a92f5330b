"""The BattLeDIM run: two years of SCADA in, the leaks of the second year out, causally.

The order of the steps and the submission file; the method is `detection.likelihood`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

import polars as pl

from leak_assets.detection.detector import Observed
from leak_assets.detection.hypothesis import Hypothesis
from leak_assets.detection.likelihood.history import SMALLEST_M3_PER_H
from leak_assets.detection.likelihood.method import CHANNELS, REFERENCES, LikelihoodDetector
from leak_assets.detection.likelihood.responses import Responses
from leak_assets.errors import InputError
from leak_assets.exchange.battledim.export import half_hour_means as means_of_export
from leak_assets.exchange.battledim.export import open_export
from leak_assets.exchange.battledim.submission import write_submission as write_lines
from leak_assets.features.half_hours import PER_DAY, half_hour_channels, learn_reference
from leak_assets.hydraulics.signatures.signatures import signatures
from leak_assets.hydraulics.twin.channels import Channels
from leak_assets.hydraulics.twin.twin import Twin
from leak_assets.sites import Network, candidate_pipes

HISTORY_YEAR, EVALUATED_YEAR = 2018, 2019
# One whole week, so that every weekday of a town's true demand pattern has its say.
REFERENCE_DAYS = 7
_PROGRESS_EVERY_DAYS = 60


@dataclass(frozen=True)
class Detection:
    """A reported leak.

    Parameters
    ----------
    link_id
        Pipe with the best chance to lie within 300 m of the leak.
    start_at
        When it is reported, UTC: the end of the day whose data decided, or the begin of the
        evaluated year for leaks of the history that still run then.
    flow_m3_per_h
        Estimated flow when it was found.
    chance
        Estimated chance that the leak is within 300 m along pipes.
    onset_day
        First day of its effect.
    """

    link_id: str
    start_at: datetime
    flow_m3_per_h: float
    chance: float
    onset_day: date


def detect(
    network: Network, scada_dir: Path | str, *, progress: Callable[[str], None] | None = None
) -> list[Detection]:
    """Return the leaks of 2019 that an export in the format of BattLeDIM shows, by time.

    What is reported at a time follows from data before it: the reference and the noise come from
    the first week of 2018, each day is seen through its own measurements, and the filter goes
    forward. Repairs come from the report of 2018, which lies before all that is reported.

    Parameters
    ----------
    network
        Nominal model.
    scada_dir
        `2018_SCADA_*.csv[.gz]`, `2019_SCADA_*.csv[.gz]` (Pressures and Flows; Levels and Demands
        where they exist) and `2018_Fixed_Leakages_Report.txt`.
    progress
        Gets one line per stage.

    Raises
    ------
    InputError
        A file is missing or cannot be used, or nothing is left to evaluate.
    """
    progress = progress or _silent
    export = open_export(network, Path(scada_dir), str(HISTORY_YEAR), str(EVALUATED_YEAR))
    if export.repair_report is None:
        progress(f"no report of repairs in {HISTORY_YEAR}: its leaks are taken to run on")
    means = means_of_export(network, export, progress)
    progress("computing leak signatures")
    twin = Twin(network, export.layout)
    responses = Responses.of(signatures(network, export.layout, candidate_pipes(network)), network)
    detector = LikelihoodDetector(
        network.name,
        lambda: responses,
        repairs=tuple((repair.link_id, repair.at.date()) for repair in export.repairs),
    )
    progress("driving the twin through the measurements")
    state = detector.start()
    start = datetime(EVALUATED_YEAR, 1, 1, tzinfo=UTC)
    found: list[Hypothesis] = []
    for number, observed in enumerate(_days(network.name, twin, means)):
        state, findings = detector.step(state, observed)
        found += findings.hypotheses
        for line in findings.messages:
            progress(line)
        if number % _PROGRESS_EVERY_DAYS == 0:
            leaks = {h.hypothesis_id for h in found if h.kind == "leak" and h.reported_at}
            progress(f"{observed.day}: {len(leaks)} leaks so far")
    return reported_leaks(found, start)


def reported_leaks(hypotheses: Sequence[Hypothesis], start: datetime) -> list[Detection]:
    """Return the leaks reported from `start` on, by time.

    A leak that was reported before counts with `start` where it still runs then.

    Parameters
    ----------
    hypotheses
        In the order of their time.
    start
        Begin of the evaluated period, UTC.
    """
    out: dict[str, Detection] = {}
    for one in hypotheses:
        if one.kind != "leak" or one.status != "reported" or one.hypothesis_id in out:
            continue
        runs_on = one.at == start and (one.flow_m3_per_h or 0.0) >= SMALLEST_M3_PER_H
        if runs_on or (one.at > start and one.at == one.reported_at):
            out[one.hypothesis_id] = Detection(
                one.element_id,
                one.at,
                one.flow_m3_per_h or 0.0,
                one.probability,
                one.onset_at.date(),
            )
    return sorted(out.values(), key=lambda d: (d.start_at, d.link_id))


def write_submission(detections: list[Detection], path: Path | str) -> None:
    """Write `linkID, startTime` lines; a reader sees the old file or the new one."""
    write_lines(Path(path), ((d.link_id, d.start_at) for d in detections))


def _days(network: str, twin: Twin, means: pl.DataFrame) -> Iterator[Observed]:
    """Yield the days after the reference as the detector sees them.

    The calibration and the scatter come from the first week; every later day is seen through
    them and through its own measurements only.

    Raises
    ------
    InputError
        No more whole days than the reference needs, or none of the evaluated year.
    """
    counted = means.group_by(pl.col("ts_utc").dt.date().alias("day"), maintain_order=True).len()
    days: list[date] = counted.filter(pl.col("len") == PER_DAY)["day"].to_list()
    if len(days) <= REFERENCE_DAYS:
        raise InputError(
            f"the export has {len(days)} whole days",
            remedy=f"Deliver more than the {REFERENCE_DAYS} days that calibrate the twin",
        )
    if days[-1] < date(EVALUATED_YEAR, 1, 1):
        raise InputError(
            f"the export has no whole day of {EVALUATED_YEAR}",
            remedy=f"Deliver {EVALUATED_YEAR}_SCADA_* files with whole days",
        )
    first = days[:REFERENCE_DAYS]
    week = means.filter(pl.col("ts_utc").dt.date().is_in(first))
    calibration = Channels.of(twin, week).calibrate()
    reference = learn_reference(twin, means, first, calibration)
    references = reference.to_frame(network)
    for day in days[REFERENCE_DAYS:]:
        begin = datetime.combine(day, time(), UTC)
        # A slice of three days: filtering two years for each day would take longer than solving.
        near = means.slice(max(0, (day - days[0]).days * PER_DAY - PER_DAY), 3 * PER_DAY)
        rows = half_hour_channels(network, twin, near, day, calibration, reference)
        yield Observed(begin.date(), {CHANNELS: rows, REFERENCES: references})


def _silent(_line: str) -> None:
    return None
