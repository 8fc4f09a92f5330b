"""What identifies the network that something was made for: model file, time patterns, sensors.

Whoever simulates, trains or scores records it; whoever uses the result compares it. Which of it
matters to whom is the caller's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from leak_assets.warehouse import Input

from .registry import WEEKDAYS, Network
from .sensors import SensorLayout

_WORDS = {
    "network_sha256": "network model",
    "pattern_first_weekday": "first weekday of the time patterns",
    "layout_sha256": "sensor layout",
}


@dataclass(frozen=True)
class Provenance:
    """The state of a network at one time.

    Attributes
    ----------
    network, inp_name
        Name of the network and of its model file.
    network_sha256, layout_sha256
        Content hashes of the model file and of the sensor layout.
    pattern_first_weekday
        Weekday of index 0 of the time patterns: it shifts what a simulation draws and what the
        twin expects, and stands in the settings, not in the model file.
    """

    network: str
    inp_name: str
    network_sha256: str
    pattern_first_weekday: str
    layout_sha256: str

    @classmethod
    def of(cls, entry: Network, layout: SensorLayout) -> "Provenance":
        """Return the present state of a network with its layout."""
        return cls(
            entry.name,
            entry.inp_path.name,
            entry.sha256,
            WEEKDAYS[entry.pattern_first_weekday],
            layout.sha256,
        )

    def inputs(self) -> tuple[Input, Input, Input]:
        """Return it as inputs of a write."""
        return (
            Input("network", self.inp_name, self.network, self.network_sha256),
            Input("setting", "pattern_first_weekday", self.network, self.pattern_first_weekday),
            Input("layout", "sensors", self.network, self.layout_sha256),
        )

    def made(self, inputs: Iterable[Input]) -> bool:
        """Whether something with these inputs was made from this state of the network.

        A setting that was not recorded is taken for the present one; a hash must be there.
        """
        inputs = list(inputs)
        versions = {source.version for source in inputs}
        weekdays = {source.version for source in inputs if source.name == "pattern_first_weekday"}
        return {self.network_sha256, self.layout_sha256} <= versions and (
            weekdays <= {self.pattern_first_weekday}
        )

    def hashes(self) -> dict[str, str]:
        """Return what must be the same for two things to fit together, as a manifest has it."""
        return {name: str(getattr(self, name)) for name in _WORDS}

    def differences(self, recorded: Mapping[str, object]) -> list[str]:
        """Return in words what differs from recorded `hashes`; what is not recorded differs."""
        return [
            _WORDS[name] for name, value in self.hashes().items() if recorded.get(name) != value
        ]
