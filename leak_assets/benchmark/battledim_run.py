"""The BattLeDIM run: two years of SCADA in, the leaks of the second year out, causally.

The order of the steps and the submission file; the method is in `daily_channels`, `leak_filter`,
`hypotheses` and `leak_history`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from leak_assets.detection.likelihood.daily_channels import (
    REFERENCE_DAYS,
    DailyChannels,
    channel_signatures,
    daily_channels,
    meter_faults,
)
from leak_assets.detection.likelihood.hypotheses import Hypotheses
from leak_assets.detection.likelihood.leak_history import Event, LeakHistory
from leak_assets.errors import InputError
from leak_assets.exchange.battledim.export import ScadaExport, half_hour_means, open_export
from leak_assets.exchange.battledim.submission import write_submission as write_lines
from leak_assets.hydraulics.signatures.signatures import signatures
from leak_assets.hydraulics.twin.twin import Twin
from leak_assets.sites import Network, PipeDistance, candidate_pipes

HISTORY_YEAR, EVALUATED_YEAR = 2018, 2019
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
    observed = half_hour_means(network, export, progress)
    progress("driving the twin through the measurements")
    twin = Twin(network, export.layout)
    channels = daily_channels(twin, observed)
    progress("computing leak signatures")
    history = LeakHistory(
        channels, _hypotheses(network, export, channels), _repairs(network, export, channels)
    )
    return _run(history, channels, progress)


def write_submission(detections: list[Detection], path: Path | str) -> None:
    """Write `linkID, startTime` lines; a reader sees the old file or the new one."""
    write_lines(Path(path), ((d.link_id, d.start_at) for d in detections))


def _run(
    history: LeakHistory, channels: DailyChannels, progress: Callable[[str], None]
) -> list[Detection]:
    start = date(EVALUATED_YEAR, 1, 1)
    evaluated = [i for i, day in enumerate(channels.days) if day >= start]
    if not evaluated:
        raise InputError(
            f"the export has no whole day of {EVALUATED_YEAR}",
            remedy=f"Deliver {EVALUATED_YEAR}_SCADA_* files with whole days",
        )
    last = evaluated[0] - 1
    known: list[Event] = []

    def after(day: int) -> None:
        if day == last:
            known.extend(history.running(day))
        if day % _PROGRESS_EVERY_DAYS == 0:
            found = sum(event.kind == "leak" for event in history.events)
            progress(f"{channels.days[day]}: {found} leaks so far")

    history.run(after)
    pipes = history.hypotheses.pipes
    out = [_detection(event, pipes, channels, start) for event in known]
    out += [
        _detection(event, pipes, channels, channels.days[event.known_on] + timedelta(days=1))
        for event in history.events
        if event.kind == "leak" and event.known_on > last
    ]
    return sorted(out, key=lambda d: (d.start_at, d.link_id))


def _detection(
    event: Event, pipes: tuple[str, ...], channels: DailyChannels, reported: date
) -> Detection:
    place = event.place
    if place is None:
        raise ValueError(f"event {event.kind} has no place")
    return Detection(
        pipes[event.index],
        datetime.combine(reported, time(), UTC),
        place.flow_m3_per_h,
        place.chance,
        channels.days[event.onset],
    )


def _hypotheses(network: Network, export: ScadaExport, channels: DailyChannels) -> Hypotheses:
    responses = signatures(network, export.layout, candidate_pipes(network))
    names, distance = PipeDistance(network).matrix()
    index = [names.index(pipe) for pipe in responses.pipes]
    return Hypotheses(
        responses.pipes,
        channel_signatures(channels, responses),
        meter_faults(channels, responses),
        distance[index][:, index],
        channels.pressures,
    )


def _repairs(
    network: Network, export: ScadaExport, channels: DailyChannels
) -> list[tuple[int, int]]:
    """Return pipe number and day number of the reported repairs within the history."""
    pipes = candidate_pipes(network)
    first = channels.days[0]
    out = []
    for repair in export.repairs:
        day = (repair.at.date() - first).days
        if repair.link_id in pipes and day >= REFERENCE_DAYS:
            out.append((pipes.index(repair.link_id), day))
    return out


def _silent(_line: str) -> None:
    return None
