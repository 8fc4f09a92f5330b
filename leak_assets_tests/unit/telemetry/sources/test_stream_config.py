"""How streams are configured: YAML or URL, and no secret in either."""

from pathlib import Path

import pytest

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.telemetry.readers.messages import ValueField
from leak_assets.telemetry.sources.drivers import open_stream
from leak_assets.telemetry.sources.stream_config import load_stream, topic_pattern

WORD = "hunter2"
MINE = """
name: town-mqtt
url: mqtts://broker.example:8884
topics: [dma/+/sensor/+]
topic: dma/{site}/sensor/{sensor}
fields: {ts: time}
values: {p: {quantity: pressure, unit: bar}}
options: {window: 500}
"""


def write(folder: Path, text: str) -> str:
    """Return the path of a source's file."""
    path = folder / "source.yaml"
    path.write_text(text)
    return str(path)


def test_a_file_says_everything_but_the_password(tmp_path: Path) -> None:
    """User and password come from the settings and are not printed."""
    settings = Settings(LEAK_ASSETS_SOURCE_USERNAME="me", LEAK_ASSETS_SOURCE_PASSWORD=WORD)
    config = load_stream(write(tmp_path, MINE), settings)
    assert (config.name, config.host, config.port(1883)) == ("town-mqtt", "broker.example", 8884)
    assert config.names.of("ts") == "time"
    assert config.names.values == {"p": ValueField("pressure", "bar")}
    assert config.username == "me"
    assert config.password is not None
    assert config.password.get_secret_value() == WORD
    assert WORD not in repr(config)
    assert WORD not in config.model_dump_json()


def test_a_url_is_enough() -> None:
    """Its query has what a file would."""
    config = load_stream("redis://h:7000?topics=a,b&site=hanoi&batch_s=2&group=x", Settings())
    assert (config.name, config.url, config.topics) == ("redis-h", "redis://h:7000", ("a", "b"))
    assert (config.site, config.batch_s, config.options) == ("hanoi", 2.0, {"group": "x"})


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("redis://me:pass@h", "LEAK_ASSETS_SOURCE_PASSWORD"),
        ("redis://h:x/", "Port"),
        ("http+carrier://h?topics=a", "no driver"),
        ("mqtt://h?topics=a&windows=5", "no option `windows`"),
        ("mqtt://h", "topics"),
        ("mqtt://h?topics=a&name=../x", "name"),
        ("mqtt://h?topics=a&topic={town}/x", "town"),
        ("mqtt://h?topics=a&window=many", "window"),
        ("nowhere.yaml", "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_told(text: str, word: str) -> None:
    """One line that names it; a password is not repeated."""
    with pytest.raises(InputError, match=word) as told:
        open_stream(load_stream(text, Settings()))
    assert "pass@" not in str(told.value)


@pytest.mark.parametrize("name", ["password", "Username", "api-key", "token", "pwd", "pass"])
@pytest.mark.parametrize("value", [WORD, ""])
def test_a_secret_in_a_query_or_a_file_is_refused(tmp_path: Path, name: str, value: str) -> None:
    """It would stand in lists of processes and in backups: the environment alone has it."""
    texts = [
        f"redis://h?topics=a&{name}={value}",
        write(tmp_path, f"name: a\nurl: redis://h?{name}={value}\ntopics: [a]\n"),
    ]
    for number, line in enumerate((f"{name}: {WORD}", f"options: {{{name}: {WORD}}}")):
        (folder := tmp_path / str(number)).mkdir()
        texts.append(write(folder, f"name: a\nurl: redis://h\ntopics: [a]\n{line}\n"))
    for text in texts:
        with pytest.raises(InputError, match="LEAK_ASSETS_SOURCE_PASSWORD") as told:
            load_stream(text, Settings())
        assert WORD not in str(told.value)


@pytest.mark.parametrize("text", ["[1]", "a: [", "name: x", "name: x\nurl: redis://h\nmore: 1"])
def test_unusable_files_are_told(tmp_path: Path, text: str) -> None:
    """The file is named."""
    with pytest.raises(InputError, match=r"source\.yaml"):
        load_stream(write(tmp_path, text), Settings())


def test_drivers_by_name(tmp_path: Path) -> None:
    """A class that is not installed as an entry point; one that is not there is told."""
    place = "leak_assets.telemetry.sources.redis_stream:RedisChannels"
    text = f"name: x\nurl: own://h\ntopics: [a]\ndriver: {place}\n"
    assert not open_stream(load_stream(write(tmp_path, text), Settings())).replays
    broken = write(tmp_path, text.replace("RedisChannels", "Nothing"))
    with pytest.raises(InputError, match="cannot be imported"):
        open_stream(load_stream(broken, Settings()))


FAULTY = """
class Faulty:
    replays = True
    def __init__(self, config):
        self.where = config.url.rpartition("/")[2]
        self.fail("made")
    def fail(self, where):
        if self.where == where:
            raise KeyError("no such tag")
    def receive(self, most, timeout_s):
        self.fail("receive")
    def acknowledge(self, messages):
        self.fail("acknowledge")
    def close(self):
        self.fail("close")
"""


@pytest.mark.parametrize("where", ["made", "receive", "acknowledge", "close"])
def test_an_error_of_a_foreign_driver_is_told_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """One line with driver, error and the line of its code; what it means to say passes."""
    (tmp_path / "faulty_driver.py").write_text(FAULTY)
    monkeypatch.syspath_prepend(tmp_path)
    text = f"name: x\nurl: own://h/{where}\ntopics: [a]\ndriver: faulty_driver:Faulty\n"
    said = r"driver `faulty_driver:Faulty` failed while .*: KeyError: 'no such tag' \(faulty_drive"
    config = load_stream(write(tmp_path, text), Settings())

    def use() -> None:
        stream = open_stream(config)
        stream.receive(1, 0.0)
        stream.acknowledge([])
        stream.close()

    with pytest.raises(InputError, match=said):
        use()


def test_what_a_topic_says() -> None:
    """A hole ends at the next slash; `+` stands for any one level; the rest is literal."""
    pattern = topic_pattern("dma/{site}/+/v1.0/{sensor}")
    match = pattern.fullmatch("dma/l-town/x/v1.0/n 1")
    assert match is not None
    assert match.groupdict() == {"site": "l-town", "sensor": "n 1"}
    assert pattern.fullmatch("dma/l-town/x/v1a0/n1") is None
    assert pattern.fullmatch("dma/../../x/v1.0/n1") is None
    assert topic_pattern("tracker_state_{site}").fullmatch("tracker_state_home") is not None
