"""What a plant's devices send: one message per time and sensor, with all its parameters.

`{"timestamp": …, "sensor_id": …, "temperature": …, "pressure": …, "flow": …}`; how any message is
read is the matter of `telemetry.readers.messages`.
"""

from leak_assets.errors import InputError
from leak_assets.telemetry.sources.stream_config import StreamConfig, Value

from .profile import UNITS

FIELDS = {"sensor": "sensor_id", "ts": "timestamp"}
BATCH_S = 0.5
"""Somebody waits for what is in a batch: it is closed sooner than one that a run takes."""
VALUES = {parameter: Value(quantity=parameter, unit=unit) for parameter, unit in UNITS.items()}


def of_plant(config: StreamConfig, site: str) -> StreamConfig:
    """Return a stream's configuration as that of a plant.

    One that says neither how fields are called nor which are values is of devices as above; one
    that names no site, in no way, is of this one. Its batches are short.

    Raises
    ------
    InputError
        It is of another site.
    """
    if config.site is not None and config.site != site:
        raise InputError(
            f"{config.name} is of the site {config.site}, not of {site}",
            remedy="Watch that one, or correct `site` of the source",
        )
    changes: dict[str, object] = {}
    if not config.fields and not config.values:
        changes |= {"fields": FIELDS, "values": VALUES}
    if "batch_s" not in config.model_fields_set:
        changes |= {"batch_s": BATCH_S}
    if config.site is None and "{site}" not in (config.topic or ""):
        changes |= {"site": site}
    return config.model_copy(update=changes)
