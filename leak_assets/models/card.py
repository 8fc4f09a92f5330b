"""The model card: what a model is for, what it was trained on, how good it is, where it fails."""

from collections.abc import Mapping
from string import Template
from typing import Any

from .artefact import Artefact
from .config import DETECTOR, PINPOINTER, parse_config
from .gates import check_gates

_CARD = Template("""# $model $version

Network $network, trained $trained_at from configuration $config_version (seed $seed, change request
$change_request, code $code).

## Intended use

$use

## Data

$scenarios scenarios of $towns simulated towns, split by $grouped_by: $sizes. Input: $statistics of
$channels channels of residuals (measured minus the twin's expectation, z-scored on leak-free
days) over $points points of $step_s s. Contract of the windows: version $contract, of the
telemetry: $telemetry_contract.

## Metrics (test split, scenarios never seen in training)

Of the exported network in onnxruntime.

| metric | value | gate |
| --- | --- | --- |
$table

## By class

| dimension | class | windows | with a leak | recall | false alarms |
| --- | --- | --- | --- | --- | --- |
$classes

## Limits and known failures

- Trained on simulated towns; how far a real town differs from its model decides how well it works.
- One new leak at a time: leaks that already run must be part of the expectation.
- Leaks below the size of the simulated ones, and the first hours of incipient ones, are missed.
- Unsteady operation that the twin does not follow (valve work, fire flow) can look like a leak.
- More than 30 % of channels missing: no score.
""")

_USE = {
    DETECTOR: "Score windows of telemetry residuals; an alarm means: a leak runs.",
    PINPOINTER: "Rank the pipes of an alarmed window; not meaningful without a leak.",
}


def model_card(artefact: Artefact, metrics: Mapping[str, Any]) -> str:
    """Return the card in Markdown.

    Parameters
    ----------
    metrics
        Content of `metrics.json`.
    """
    config = parse_config(artefact.config)
    test = metrics["test"]
    limits = {
        r.metric: f"{'≤' if r.is_upper else '≥'} {r.limit:g}{'' if r.passed else ' (failed)'}"
        for r in check_gates(test, config.gates)
    }
    split = artefact.manifest["split"]
    members = [scenario for group in split["sets"].values() for scenario in group]
    return _CARD.substitute(
        model=artefact.model,
        version=artefact.version,
        network=artefact.network,
        trained_at=str(artefact.manifest["created_at"])[:10],
        config_version=config.version,
        seed=config.seed,
        change_request=config.change_request or "none",
        code=(artefact.manifest.get("git_sha") or artefact.manifest["code_version"])[:12],
        use=_USE[artefact.model],
        scenarios=len(members),
        towns=len({name.rsplit("/", 1)[0] for name in members}),
        grouped_by="town" if split["grouped_by"] == "batch" else "scenario",
        sizes=", ".join(f"{name} {len(group)}" for name, group in split["sets"].items()),
        channels=len(artefact.channels),
        statistics=", ".join(artefact.statistics),
        points=artefact.window.points,
        step_s=artefact.window.step_s,
        contract=config.data.contract,
        telemetry_contract=str(artefact.manifest["contract_sha256"])[:12],
        table="\n".join(
            f"| {name} | {_number(value)} | {limits.get(name, '')} |"
            for name, value in test.items()
        ),
        classes="\n".join(
            f"| {dimension} | {name} | {row['windows']} | {row['leak_windows']} |"
            f" {_number(row['recall'])} | {_number(row['false_alarm_rate'])} |"
            for dimension, rows in metrics.get("breakdown", {}).items()
            for name, row in rows.items()
        )
        or "| – | – | – | – | – | – |",
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
