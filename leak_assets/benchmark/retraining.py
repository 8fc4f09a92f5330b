"""A training from scenarios to shadow mode, in the seven steps of the source document.

Each step is a function of what was asked for, so that a job, a command and a test run the same
ones in the same order. What a step does is its room's matter.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from leak_assets.audit.shadow_report import TABLE as SHADOW_REPORT
from leak_assets.audit.shadow_report import write_shadow_reports
from leak_assets.hydraulics.plan.scenarios import ScenarioPlan
from leak_assets.hydraulics.steps import batch_partitions
from leak_assets.models.artefact import Artefact
from leak_assets.models.batches import training_batches
from leak_assets.models.change_control import change_failure
from leak_assets.models.config import DETECTOR, DetectorConfig
from leak_assets.models.decisions import registry_events
from leak_assets.models.euro_gate import Verdict, euro_verdict, network_backtests
from leak_assets.models.in_use import champions, newest_artefacts
from leak_assets.models.plan import TrainingPlan, check_contract
from leak_assets.models.registration import register_candidates, request_failure
from leak_assets.models.registry import REJECTED, current
from leak_assets.models.steps import gate_failures
from leak_assets.pipeline.context import StepContext, new_run_id
from leak_assets.pipeline.runner import run_step
from leak_assets.runs.daemonless import process_landing_zone
from leak_assets.runs.graph import GRAPH
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse import Warehouse, Written

from .backtest import BacktestPlan, run_backtests


@dataclass(frozen=True)
class Training:
    """What was asked for.

    Parameters
    ----------
    scenarios
        Plan to simulate; None: learn from the batches that are there.
    plan
        Configurations of the models.
    """

    ctx: StepContext
    site: NetworkSite
    plan: TrainingPlan
    scenarios: ScenarioPlan | None = None

    @property
    def batches(self) -> list[dict[str, str]]:
        """Partitions of the scenario batches: those asked for, or those that are there."""
        if self.scenarios is not None:
            return batch_partitions(self.scenarios.batch_names(), self.site.name)
        names = training_batches(self.ctx.warehouse, self.site).batches
        return batch_partitions(names, self.site.name)

    def run(self, *names: str, partitions: list[dict[str, str]] | None = None) -> list[Written]:
        """Bring steps of the graph up to date."""
        written = []
        for name in names:
            written += run_step(
                GRAPH.step(name),
                self.ctx,
                self.site,
                partitions or [{"network": self.site.name}],
                plan=self.scenarios if name == "scenario_runs" else self.plan,
            )
        return written


def contract(asked: Training) -> list[Written]:
    """Check the contracts: the site's readings, and what the configurations were made for."""
    for config in asked.plan.configs.values():
        check_contract(config)
    asked.ctx.progress(
        f"contract of readings {asked.site.contract.version}"
        f" ({asked.site.contract.sha256[:12]}); configurations "
        + ", ".join(f"{name} {one.version}" for name, one in asked.plan.configs.items())
    )
    for name, config in asked.plan.configs.items():
        old = champions(asked.ctx, asked.site).get(name)
        if line := change_failure(config, old.config if old else None):
            # Said before hours of simulation; the version is registered and rejected with it.
            asked.ctx.progress(f"{name} {config.version} will be rejected: {line}")
    return asked.run("network")


def features(asked: Training) -> list[Written]:
    """Simulate what is asked for, hold it against the contract, window and label it."""
    written = []
    if asked.scenarios is not None:
        written += asked.run("scenario_runs", partitions=asked.batches)
    written += asked.run("training_readings", "training_features", partitions=asked.batches)
    return written + asked.run("judged_windows", "frozen_windows")


def train(asked: Training) -> list[Written]:
    """Train the models of the plan, each to a draft."""
    return asked.run("training_runs")


def evaluate(asked: Training) -> list[Written]:
    """Measure the drafts on towns that they have never seen."""
    return asked.run("evaluations")


def export(asked: Training) -> list[Written]:
    """Pack them."""
    return asked.run("packages")


def register(asked: Training) -> list[Written]:
    """Check the gates, that on money too, and register: rejected, validated, or in use."""
    artefacts = newest_artefacts(asked.ctx, asked.site, asked.plan)
    written = register_candidates(asked.ctx, artefacts)
    failures = gate_failures(asked.ctx, asked.site, asked.plan)
    for artefact in artefacts:
        # What is rejected anyway is not valued: a backtest takes minutes.
        is_sound = DETECTOR not in failures and not request_failure(asked.ctx, asked.site, artefact)
        if artefact.model == DETECTOR and is_sound:
            value_candidate(asked, artefact)
    return written + asked.run("registry_events")


def shadow(asked: Training) -> list[Written]:
    """Score the days there are by what is in use and by what is in shadow mode; compare."""
    ctx, network = asked.ctx, asked.site.name
    for line in process_landing_zone(ctx, asked.site).problems:
        ctx.progress(line)
    written = []
    for row in write_shadow_reports(ctx, asked.site).iter_rows(named=True):
        name = f"{row['model']}-{row['version']}"
        ctx.progress(f"{name} in shadow mode: {row['reason']}")
        record = ctx.warehouse.record(SHADOW_REPORT, {"version": name, "network": network})
        written += [Written(record, changed=True)] if record else []
    return written


Stage = Callable[[Training], list[Written]]
STAGES: Mapping[str, Stage] = {
    "contract": contract,
    "preprocess_and_featurize": features,
    "train": train,
    "evaluate_and_gate": evaluate,
    "export": export,
    "register": register,
    "shadow": shadow,
}
"""The seven steps in order."""


def value_candidate(asked: Training, candidate: Artefact) -> str:
    """Value a candidate beside the detector in use on generated towns; return the verdict's line.

    Nothing is run where none that fits the network is in use, or both were valued already.
    """
    ctx, site = asked.ctx, asked.site
    old = champions(ctx, site).get(DETECTOR)
    config = asked.plan.configs.get(DETECTOR)
    if not isinstance(config, DetectorConfig) or old is None or old.version == candidate.version:
        return "no other detector is in use"
    if site.provenance.differences(old.manifest):
        return f"{old.version} is of another network model or sensor layout"

    def verdict() -> tuple[Verdict, str]:
        return euro_verdict(
            network_backtests(ctx.warehouse, site.name),
            champion=old.version,
            candidate=candidate.version,
            gate=config.euro_gate,
        )

    for number in range(config.euro_gate.towns):
        if verdict()[0] is not Verdict.NOT_VALUED:
            break
        run_backtests(
            # A backtest is named by its run: each town of the gate is one.
            replace(ctx, warehouse=Warehouse(ctx.warehouse.root, run_id=new_run_id("gate"))),
            site,
            BacktestPlan(
                methods=("windows",),
                models=(old.version, candidate.version),
                seed=config.euro_gate.first_seed + number,
                days=config.euro_gate.days,
                history_days=config.euro_gate.history_days,
            ),
        )
    line = verdict()[1]
    ctx.progress(line)
    return line


def train_network(asked: Training) -> dict[str, list[str]]:
    """Run the seven steps; return why models were rejected, by model, empty where none was.

    Raises
    ------
    InputError
        What stands in the way, in one line.
    """
    for name, stage in STAGES.items():
        asked.ctx.progress(f"{name.replace('_', ' ')} of {asked.site.name}")
        stage(asked)
    return rejections(asked)


def rejections(asked: Training) -> dict[str, list[str]]:
    """Return why the newest models were rejected, by model; empty where none was."""
    events = registry_events(asked.ctx.warehouse, asked.site.name)
    found = {}
    for artefact in newest_artefacts(asked.ctx, asked.site, asked.plan):
        rows = current(events, asked.site.name, artefact.model).filter(
            version=artefact.version, status=REJECTED
        )
        if rows.height:
            notes = str(rows["note"][0]).split("; ")
            name = f"{artefact.model} {artefact.version}"
            found[artefact.model] = [
                note if note.startswith(name) else f"{name}: {note}" for note in notes
            ]
    return found
