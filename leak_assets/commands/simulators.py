"""Commands that generate data of sources without a network: treatment plant and household."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import polars as pl
import typer

from leak_assets.errors import InputError
from leak_assets.system.clock import parse_utc
from leak_assets.system.files import check_folder, publishing
from leak_assets.system.terminal import AsJson, console, print_json

from .options import LARGEST_SEED

if TYPE_CHECKING:
    from leak_assets.household.simulator.faults import Fault

FORMATS = ("csv", "parquet", "jsonl")
_FAULT_FORM = "START[,END[,L_PER_MIN]]"
_VACATION_FORM = "FIRST_DAY,LAST_DAY"
_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
# Without time zone, as options come: one is read as UTC, the other is a day of local calendars.
PLANT_START = datetime(2025, 5, 28)  # noqa: DTZ001
HOUSEHOLD_FIRST_DAY = datetime(2019, 3, 1)  # noqa: DTZ001

_Out = Annotated[Path, typer.Option(help="Folder for the files.")]
_Seed = Annotated[
    int, typer.Option(min=0, max=LARGEST_SEED, help="The same seed gives the same files.")
]
_Format = Annotated[str, typer.Option("--format", help=f"{', '.join(FORMATS)}.")]


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command("simulate-plant")(simulate_plant_files)
    app.command("simulate-household")(simulate_household_files)


def simulate_plant_files(
    out: _Out,
    start: Annotated[
        datetime, typer.Option(formats=_TIMES, help="First reading, UTC.")
    ] = PLANT_START,
    duration: Annotated[int, typer.Option(help="Seconds to simulate.")] = 3600,
    sensors: Annotated[int, typer.Option(help="Sensors: wtf-pipe-1, wtf-pipe-2, ….")] = 1,
    step: Annotated[int, typer.Option(help="Seconds between readings.")] = 2,
    anomaly_rate: Annotated[
        float, typer.Option(help="Anomalies per sensor and hour; 0 for none.")
    ] = 6.0,
    kind: Annotated[
        list[str] | None, typer.Option(help="spike, drift or dropout; default: all of them.")
    ] = None,
    seed: _Seed = 1,
    file_format: _Format = "csv",
    *,
    as_json: AsJson = False,
) -> None:
    """Write readings of a treatment plant's sensors and a label for each anomaly in them."""
    from leak_assets.plant.simulator.anomalies import KINDS
    from leak_assets.plant.simulator.simulator import messages, simulate_plant

    _check_format(file_format)
    run = simulate_plant(
        duration,
        seed,
        start_at=start.replace(tzinfo=UTC),
        sensors=sensors,
        step_s=step,
        anomaly_rate_per_h=anomaly_rate,
        kinds=tuple(kind or KINDS),
    )
    readings = run.readings
    # A line of JSON is a message as the devices send it, with all three parameters.
    # Files have the columns of any long export, so that `ingest` takes them as they are.
    rows = (
        pl.DataFrame(messages(readings))
        if file_format == "jsonl"
        else readings.rename({"parameter": "quantity"})
    )
    files = write_frames(out, {"readings": rows, "labels": run.labels}, file_format)
    count = {"readings": readings.height, "anomalies": run.labels.height}
    if as_json:
        print_json({"folder": str(out), "files": [str(f) for f in files], **count})
        return
    _tell(
        f"{duration} s of {sensors} sensor{'s' * (sensors > 1)} every {step} s:"
        f" {readings.height:,} readings, {run.labels.height} anomalies",
        files,
    )


def simulate_household_files(
    out: _Out,
    first_day: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="First day, local.")
    ] = HOUSEHOLD_FIRST_DAY,
    days: Annotated[int, typer.Option(help="Local days to simulate.")] = 60,
    step: Annotated[int, typer.Option(help="Seconds of a step of the meter.")] = 10,
    people: Annotated[int, typer.Option(help="People in the household.")] = 3,
    zone: Annotated[str, typer.Option(help="Time zone of its habits.")] = "Europe/Berlin",
    slow_leak: Annotated[
        list[str] | None, typer.Option(help=f"{_FAULT_FORM}; local unless it names an offset.")
    ] = None,
    flapper: Annotated[list[str] | None, typer.Option(help=f"Toilet: {_FAULT_FORM}.")] = None,
    vacation: Annotated[list[str] | None, typer.Option(help=f"{_VACATION_FORM}.")] = None,
    seed: _Seed = 1,
    file_format: _Format = "csv",
    *,
    irrigation: Annotated[bool, typer.Option(help="Water the garden.")] = True,
    as_json: AsJson = False,
) -> None:
    """Write the flow at a household's main meter and a label for each use and fault."""
    from leak_assets.household.simulator.habits import Household
    from leak_assets.household.simulator.simulator import simulate_history

    _check_format(file_format)
    household = Household(people=people, zone=zone)
    faults = [parse_fault("slow_leak", text, zone) for text in slow_leak or ()]
    faults += [parse_fault("toilet_flapper", text, zone) for text in flapper or ()]
    history = simulate_history(
        days,
        seed,
        include_irrigation=irrigation,
        household=household,
        first_day=first_day.date(),
        step_s=step,
        faults=faults,
        vacations=[parse_vacation(text) for text in vacation or ()],
    )
    frames = {"flow": history.flow, "labels": history.labels, "occupancy": history.occupancy}
    files = write_frames(out, frames, file_format)
    used = history.labels.filter(~pl.col("is_fault"))
    lost = history.labels.filter("is_fault")
    volume_m3, lost_m3 = (float(part["volume_l"].sum()) / 1000 for part in (used, lost))
    if as_json:
        count = {"uses": used.height, "used_m3": volume_m3, "faults": lost.height}
        print_json(
            {"folder": str(out), "files": [str(f) for f in files], **count, "lost_m3": lost_m3}
        )
        return
    _tell(
        f"{days} days of {people} people: {used.height:,} uses ({volume_m3:.1f} m3),"
        f" {lost.height} faults ({lost_m3:.1f} m3)",
        files,
    )


def parse_fault(kind: str, text: str, zone: str) -> "Fault":
    """Return the fault that `START[,END[,L_PER_MIN]]` says; times are local without an offset.

    Raises
    ------
    InputError
        If the text has another form, or names an impossible fault.
    """
    from leak_assets.household.simulator.faults import Fault

    parts = [part.strip() for part in text.split(",")]
    try:
        if len(parts) > 3:
            raise ValueError(f"{len(parts)} parts")
        local = ZoneInfo(zone)
        start_at = parse_utc(parts[0], local)
        end_at = parse_utc(parts[1], local) if len(parts) > 1 and parts[1] else None
        flow = float(parts[2]) if len(parts) > 2 else None
    except (ValueError, OverflowError) as error:
        raise InputError(f"{kind} {text!r}: {error}", remedy=f"Write {_FAULT_FORM}") from error
    return Fault(kind, start_at, end_at, flow)


def parse_vacation(text: str) -> tuple[date, date]:
    """Return the first and last day that `FIRST_DAY,LAST_DAY` says.

    Raises
    ------
    InputError
        If the text has another form.
    """
    try:
        first, last = (date.fromisoformat(part.strip()) for part in text.split(","))
    except ValueError as error:
        raise InputError(
            f"--vacation {text!r}: {error}", remedy=f"Write {_VACATION_FORM} as 2019-03-10"
        ) from error
    return first, last


def write_frames(folder: Path, frames: Mapping[str, pl.DataFrame], file_format: str) -> list[Path]:
    """Write frames as `NAME.FORMAT`; times in CSV and JSON are ISO 8601, UTC.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    check_folder(folder, "--out")
    files = []
    for name, frame in frames.items():
        path = folder / f"{name}.{file_format}"
        with publishing(path) as draft:
            _write(frame, draft, file_format)
        files.append(path)
    return files


def _write(frame: pl.DataFrame, path: Path, file_format: str) -> None:
    if file_format == "parquet":
        frame.write_parquet(path)
        return
    times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    text = frame.with_columns(pl.col(times).dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"))
    if file_format == "csv":
        text.write_csv(path)
    else:
        text.write_ndjson(path)


def _check_format(file_format: str) -> None:
    if file_format not in FORMATS:
        raise InputError(
            f"--format {file_format!r} is unknown", remedy=f"Choose one of {', '.join(FORMATS)}"
        )


def _tell(line: str, files: Sequence[Any]) -> None:
    console().print(line, highlight=False)
    for path in files:
        console().print(f"  {path}", soft_wrap=True, highlight=False)
