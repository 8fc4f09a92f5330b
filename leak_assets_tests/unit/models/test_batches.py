"""Which batches are trained on: one plan, the present network, features of the present runs."""

from pathlib import Path

import pytest

from leak_assets.errors import MissingInputError
from leak_assets.models.batches import FEATURES, SCENARIOS, TrainingBatches, training_batches
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets.sites.provenance import Provenance
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse import Input, lake
from leak_assets.warehouse.schemas import TABLES


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Lab":
    """An empty warehouse whose writes happen one minute after the other."""
    return Lab(tmp_path, monkeypatch)


class Lab:
    """Writes batches that hold no rows: only their records matter here."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home))
        self.minute = 0
        monkeypatch.setattr(lake, "now_iso", self._now)

    def _now(self) -> str:
        self.minute += 1
        return f"2026-01-01T00:{self.minute:02d}:00+00:00"

    def provenance(self) -> Provenance:
        """Return Hanoi as it is now."""
        return self.site().provenance

    def found(self) -> TrainingBatches:
        """Return the batches to train on."""
        return training_batches(self.ctx.warehouse, self.site())

    def site(self) -> NetworkSite:
        """Return Hanoi as it is now."""
        return self.ctx.network("hanoi")

    def run(self, plan: str, batches: int) -> None:
        """Write batches of a plan."""
        now = self.provenance().inputs()
        for number in range(batches):
            partition = {"batch": f"b{number:03d}", "network": "hanoi"}
            inputs = [*now, Input("plan", "scenario_plan", partition["batch"], plan)]
            runs = self.write(SCENARIOS, partition, inputs)
            self.write(FEATURES, partition, [runs, *now])

    def write(self, table: str, partition: dict[str, str], inputs: list[Input]) -> Input:
        """Write a partition without rows."""
        frame = TABLES[table].empty()
        return self.ctx.warehouse.write(table, partition, frame, inputs=inputs).as_input()


def test_batches_of_an_older_plan_are_left_out_by_name(lab: Lab) -> None:
    """A plan with fewer batches leaves the last ones of the plan before in the lake."""
    lab.run("four towns", 4)
    assert lab.found().batches == ("b000", "b001", "b002", "b003")
    lab.run("two towns", 2)
    found = lab.found()
    assert found.batches == ("b000", "b001")
    assert list(found.data_versions) == [f"batch={b}__network=hanoi" for b in found.batches]
    assert found.messages() == ["left out b002, b003: from an older plan"]
    lab.run("four towns", 4)
    assert lab.found().messages() == []


def test_batches_of_another_layout_are_left_out(lab: Lab) -> None:
    """The sensors in use decide; with none left the remedy is named."""
    lab.run("plan", 3)
    settings = lab.ctx.settings.networks_dir / "hanoi.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text("sensors: [{quantity: pressure, ids: ['4', '9']}]\n")
    with pytest.raises(MissingInputError, match=r"from another network model.*leak-assets train"):
        lab.found()
    lab.run("plan", 1)
    found = lab.found()
    assert found.batches == ("b000",)
    assert found.messages() == ["left out b001, b002: from another network model or sensor layout"]


def test_batches_of_other_time_patterns_are_left_out(lab: Lab) -> None:
    """A setting that is not in the model file: the weekday on which patterns begin."""
    lab.run("plan", 3)
    settings = lab.ctx.settings.networks_dir / "hanoi.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text("pattern_first_weekday: sunday\n")
    with pytest.raises(MissingInputError, match="from another network model"):
        lab.found()


def test_features_of_earlier_runs_are_left_out(lab: Lab) -> None:
    """A batch that was simulated again has features of runs that are gone."""
    lab.run("plan", 2)
    partition = {"batch": "b001", "network": "hanoi"}
    inputs = [*lab.provenance().inputs(), Input("table", SCENARIOS, "b001", "another hash")]
    lab.write(FEATURES, partition, inputs)
    found = lab.found()
    assert found.batches == ("b000",)
    assert found.left_out == {"b001": "simulated again after its features were made"}


def test_nothing_simulated_says_what_to_do(lab: Lab) -> None:
    """An empty lake."""
    with pytest.raises(MissingInputError, match=r"no training features of hanoi\. Run"):
        lab.found()
