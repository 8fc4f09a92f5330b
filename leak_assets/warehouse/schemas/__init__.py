"""All tables and views of the warehouse, gathered from the modules beside this one."""

from . import (
    audit,
    data_incidents,
    detection,
    features,
    household,
    household_live,
    household_meters,
    incident_people,
    incident_views,
    incidents,
    models,
    network,
    plant,
    plant_live,
    short_names,
    simulation,
    telemetry,
    water,
)
from .table import Column, Table, View

_MODULES_WITH_TABLES = (
    network,
    simulation,
    telemetry,
    features,
    models,
    detection,
    incidents,
    incident_people,
    data_incidents,
    water,
    plant,
    plant_live,
    household,
    household_live,
    household_meters,
    audit,
)
# Views may read those before them.
_MODULES_WITH_VIEWS = (
    telemetry,
    models,
    incident_views,
    data_incidents,
    water,
    plant,
    household_live,
    audit,
    short_names,
)

TABLES: dict[str, Table] = {t.full_name: t for m in _MODULES_WITH_TABLES for t in m.TABLES}
VIEWS: dict[str, View] = {v.full_name: v for m in _MODULES_WITH_VIEWS for v in m.VIEWS}

__all__ = ["TABLES", "VIEWS", "Column", "Table", "View"]
