"""The local calendar of a site: UTC instants to local days, day types, holidays and seasons.

Everything is stored in UTC; what people do follows the local clock, with days of 23 and 25 hours.
No table is read here; the features of models and the nights of the water balance use it.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import polars as pl

from leak_assets.errors import InputError
from leak_assets.system.clock import is_timezone

_DAY = timedelta(days=1)
_SEASONS = ("winter", "spring", "summer", "autumn")
# Countries whose larger part lies south of the equator and that have seasons (ISO 3166-1).
_SOUTHERN = "AO AR AU BO BR BW CL FJ LS MG MU MW MZ NA NC NZ PE PY RE SZ TZ UY ZA ZM ZW"
SATURDAY, SUNDAY = 5, 6


@dataclass(frozen=True)
class Calendar:
    """Time zone and holidays of a site.

    Parameters
    ----------
    timezone
        IANA name, e.g. `Europe/Rome`.
    country
        ISO 3166 code for holidays and hemisphere, with a subdivision that has holidays of its own
        (`IT`, `DE-BY`); empty: no holidays, northern.

    Raises
    ------
    InputError
        There is no such time zone, or no holidays are known of the country.

    Examples
    --------
    >>> rome = Calendar("Europe/Rome", "IT")
    >>> rome.hours(date(2026, 3, 29)), rome.hours(date(2026, 10, 25))
    (23.0, 25.0)
    """

    timezone: str = "UTC"
    country: str = ""

    def __post_init__(self) -> None:
        if not is_timezone(self.timezone):
            raise InputError(
                f"{self.timezone!r} is no time zone",
                remedy="Use an IANA name, e.g. Europe/Rome",
                column="timezone",
            )
        if self.country:
            _holidays(self.country, 2020)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)

    def at(self, day: date, hour: int) -> datetime:
        """Return the instant (UTC) at which a whole hour of a local day begins; 24 is its end.

        An hour that the clocks leave out begins where they jump to; of one that comes twice the
        first counts.
        """
        day, hour = day + timedelta(days=hour // 24), hour % 24
        return datetime.combine(day, time(hour), self.zone).astimezone(UTC)

    def span(self, day: date) -> tuple[datetime, datetime]:
        """Return begin and end (exclusive) of a local day, UTC."""
        return self.at(day, 0), self.at(day, 24)

    def hours(self, day: date) -> float:
        """Return the length of a local day: 23 and 25 hours where clocks change."""
        start, end = self.span(day)
        return (end - start) / timedelta(hours=1)

    def steps(self, day: date, step_s: int) -> int:
        """Return how many steps a local day has: 276, 288 or 300 of five minutes.

        Parameters
        ----------
        step_s
            Length of a step, seconds.
        """
        start, end = self.span(day)
        return round((end - start) / timedelta(seconds=step_s))

    def days_by_hour(self, utc_day: date, hour: int) -> list[date]:
        """Return the local days whose given hour falls into a UTC day, in order.

        That is where their rows are kept: a local day (hour 24) with the UTC day in which it
        ends, a night with the one in which it is over. One local day for each UTC day, but where
        a change of clocks moves an end over midnight UTC: then two, or none.

        Parameters
        ----------
        utc_day
            Partition.
        hour
            Local hour, up to 24. An instant at midnight UTC still belongs to the day that ends.
        """
        start = datetime.combine(utc_day, time(), UTC)
        near = (utc_day + timedelta(days=offset) for offset in range(-2, 3))
        return [day for day in near if start < self.at(day, hour) <= start + _DAY]

    def holiday(self, day: date) -> str:
        """Return the name of the public holiday on a local day, empty where it is none."""
        if not self.country:
            return ""
        return _holidays(self.country, day.year).get(day, "")

    def day_type(self, day: date) -> str:
        """Return `holiday`, `sunday`, `saturday` or `workday`."""
        if self.holiday(day):
            return "holiday"
        return {SATURDAY: "saturday", SUNDAY: "sunday"}.get(day.weekday(), "workday")

    @property
    def _is_southern(self) -> bool:
        return self.country[:2] in _SOUTHERN.split()

    def season(self, day: date) -> str:
        """Return the meteorological season (whole months; December begins the northern winter)."""
        number = day.month % 12 // 3 + (2 if self._is_southern else 0)
        return _SEASONS[number % 4]


def calendar_features(times: pl.Series, calendar: Calendar) -> pl.DataFrame:
    """Return the local features of instants.

    Parameters
    ----------
    times
        UTC, in any order.

    Returns
    -------
    polars.DataFrame
        A row for each instant: `ts_utc`, `local_date`, `hour` (0 to 23, and minutes as a part of
        it), `weekday` (0 is Monday), `day_type`, `holiday` (name, null on other days), `season`.
    """
    local = times.dt.convert_time_zone(calendar.timezone)
    frame = pl.DataFrame(
        {
            "ts_utc": times,
            "local_date": local.dt.date(),
            "hour": local.dt.hour().cast(pl.Float64) + local.dt.minute() / 60.0,
        }
    )
    days = frame.get_column("local_date").unique().drop_nulls().sort().to_list()
    of_day = pl.DataFrame(
        [
            (d, d.weekday(), calendar.day_type(d), calendar.holiday(d) or None, calendar.season(d))
            for d in days
        ],
        schema={
            "local_date": pl.Date,
            "weekday": pl.Int8,
            "day_type": pl.String,
            "holiday": pl.String,
            "season": pl.String,
        },
        orient="row",
    )
    return frame.join(of_day, on="local_date", how="left", maintain_order="left")


@lru_cache(maxsize=512)
def _holidays(place: str, year: int) -> dict[date, str]:
    """Return the public holidays of a year, by the library `holidays`."""
    import holidays

    country, _, subdivision = place.partition("-")
    try:
        found = holidays.country_holidays(
            country, subdiv=subdivision or None, years=year, language="en_US"
        )
    except NotImplementedError as error:
        raise InputError(
            f"no holidays are known of {place!r}",
            remedy="Use an ISO 3166 code, e.g. IT, or DE-BY for a subdivision",
            column="country",
        ) from error
    return dict(found.items())
