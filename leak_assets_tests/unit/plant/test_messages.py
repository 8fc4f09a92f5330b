"""A plant's streams: how devices send, unless the source says otherwise."""

import pytest

from leak_assets.errors import InputError
from leak_assets.plant.messages import of_plant
from leak_assets.settings import Settings
from leak_assets.telemetry.sources.stream_config import load_stream


def test_a_url_is_of_devices_that_send_all_parameters() -> None:
    """Fields, values and site follow; the batch is short, for somebody waits."""
    config = of_plant(load_stream("redis://host?topics=plant", Settings()), "works")
    assert config.site == "works"
    assert config.fields == {"sensor": "sensor_id", "ts": "timestamp"}
    assert {k: v.unit for k, v in config.values.items()} == {
        "temperature": "°C",
        "pressure": "bar",
        "flow": "L/min",
    }
    assert config.batch_s == 0.5


def test_what_the_source_says_counts() -> None:
    """Another batch, and another site is refused."""
    config = load_stream("redis://host?topics=plant&batch_s=3&site=works", Settings())
    assert of_plant(config, "works").batch_s == 3.0
    with pytest.raises(InputError, match="of the site works, not of others"):
        of_plant(config, "others")
