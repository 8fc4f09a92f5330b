"""District metered areas: which meters close each one, and what is known of what lies in it.

As people write them down in a site's YAML. The areas of a network with a model follow from the
model; what flows through an area is computed in `water`.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leak_assets.errors import InputError

from .sensors import SensorLayout


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Tank(_Strict):
    """A tank in an area, whose filling is no consumption.

    Parameters
    ----------
    level
        Name of its level sensor.
    area_m2
        Water surface, m².
    """

    level: str
    area_m2: float = Field(gt=0)


class Area(_Strict):
    """A district metered area.

    Parameters
    ----------
    name
        The column `zone_id`.
    meters
        Flow meters at its border: 1 where water flows in at positive readings, -1 where out.
    tanks
        Tanks inside.
    pressures
        Pressure sensors inside; their mean is the area's pressure.
    customers, customers_share
        Demand meters of customers inside, and the share of all customers' use that they measure;
        what they read is divided by it.
    connections, population, mains_km, service_pipes_km, pressure_m
        Number of service connections, people, length of mains, length of the customers' pipes
        between street and meter, usual mean pressure (m) where no sensor measures it.
    night_use_m3_per_h, night_use_l_per_connection_h, night_use_l_per_person_h
        What customers use at night legitimately, in all or by connection or person; see
        `water.losses`.
    night_day_factor_h
        Hours that a night's loss per hour is multiplied with to be a day's: less than 24 where
        the pressure is higher at night.
    """

    name: str = Field(min_length=1, max_length=100)
    meters: dict[str, Literal[1, -1]] = Field(min_length=1)
    tanks: tuple[Tank, ...] = ()
    pressures: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    customers_share: float = Field(1.0, gt=0, le=1)
    connections: int | None = Field(None, gt=0)
    population: int | None = Field(None, gt=0)
    mains_km: float | None = Field(None, gt=0)
    service_pipes_km: float = Field(0.0, ge=0)
    pressure_m: float | None = Field(None, gt=0)
    night_use_m3_per_h: float | None = Field(None, ge=0)
    night_use_l_per_connection_h: float = Field(1.7, ge=0)
    night_use_l_per_person_h: float = Field(0.6, ge=0)
    night_day_factor_h: float = Field(24.0, gt=0, le=36)

    def sensors(self) -> list[tuple[str, str]]:
        """Return quantity and name of all sensors that it names."""
        return [
            *(("flow", name) for name in self.meters),
            *(("level", tank.level) for tank in self.tanks),
            *(("pressure", name) for name in self.pressures),
            *(("demand", name) for name in self.customers),
        ]


class Weather(_Strict):
    """The sensors of the weather at a site: air temperature (°C) and rain (mm)."""

    temperature: str | None = None
    rain: str | None = None

    def sensors(self) -> list[tuple[str, str]]:
        """Return quantity and name of the sensors that it names."""
        named = (("temperature", self.temperature), ("rain", self.rain))
        return [(quantity, name) for quantity, name in named if name is not None]


def weather_from(content: Any, layout: SensorLayout, *, file: Any = None) -> Weather:
    """Return the weather's sensors as a YAML file has them below `weather`; None: no weather.

    Raises
    ------
    InputError
        No mapping, an unknown key, or a sensor that the site does not have.
    """
    try:
        weather = Weather.model_validate({} if content is None else content)
    except ValidationError as error:
        raise InputError(
            f"`weather`: {error.errors()[0]['msg'].lower()}",
            remedy="Write {temperature: NAME, rain: NAME}",
            file=file,
            column="weather",
        ) from error
    _refuse_unknown("`weather`", weather.sensors(), layout, file, "weather")
    return weather


def areas_from(content: Any, layout: SensorLayout, *, file: Any = None) -> tuple[Area, ...]:
    """Return areas as a YAML file has them.

    Parameters
    ----------
    content
        The list below the key `areas`.
    layout
        Sensors that there are.

    Raises
    ------
    InputError
        No list, an unknown, missing or wrong key, a name that is given twice, or a sensor that
        the site does not have.
    """
    if not isinstance(content, list) or not content:
        raise InputError(
            "`areas` is no list of areas",
            remedy="Write entries like {name: centre, meters: {m1: 1, m2: -1}}",
            file=file,
            column="areas",
        )
    areas: list[Area] = []
    for number, entry in enumerate(content):
        try:
            area = Area.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise InputError(
                f"area number {number + 1}, key `{key}`: {first['msg'].lower()}",
                remedy=f"The keys are {', '.join(Area.model_fields)}",
                file=file,
                column="areas",
            ) from error
        if area.name in {other.name for other in areas}:
            raise InputError(
                f"area {area.name!r} is given twice",
                remedy="Keep one of them",
                file=file,
                column="areas",
            )
        _refuse_unknown(f"area {area.name!r}", area.sensors(), layout, file, "areas")
        areas.append(area)
    return tuple(areas)


def _refuse_unknown(
    who: str, sensors: list[tuple[str, str]], layout: SensorLayout, file: Any, key: str
) -> None:
    known = {(s.quantity, s.sensor_id) for s in layout.sensors}
    for quantity, name in sensors:
        if (quantity, name) not in known:
            raise InputError(
                f"{who} names the {quantity} sensor {name!r}, which the site does not have",
                remedy="Add it to `sensors`, or correct the name",
                file=file,
                column=key,
            )
