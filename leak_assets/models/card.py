"""The model card: what a model is for, what it was trained on, how good it is, where it fails."""

from string import Template

from leak_assets.features.windows import SPEC

from .gates import check_gates
from .training import TrainingResult

_CARD = Template("""# $model $version

Network $network, trained $trained_at from configuration $config_version (seed $seed).

## Intended use

$use

## Data

$scenarios scenarios of $towns simulated towns, split by $grouped_by: $sizes. Input: $statistics of
$channels channels of residuals (measured minus the twin's expectation, z-scored on leak-free
days) over $points points of $step_s s.

## Metrics (test split, scenarios never seen in training)

Of the trained network; `leak-assets evaluate` measures the exported one again.

| metric | value | gate |
| --- | --- | --- |
$table

## Limits and known failures

- Trained on simulated towns; how far a real town differs from its model decides how well it works.
- One new leak at a time: leaks that already run must be part of the expectation.
- Leaks below the size of the simulated ones, and the first hours of incipient ones, are missed.
- Unsteady operation that the twin does not follow (valve work, fire flow) can look like a leak.
- More than 30 % of channels missing: no score.
""")

_USE = {
    "leak_detector": "Score windows of telemetry residuals; an alarm means: a leak runs.",
    "leak_pinpointer": "Rank the pipes of an alarmed window; not meaningful without a leak.",
}


def model_card(result: TrainingResult) -> str:
    """Return the card in Markdown."""
    limits = {
        r.metric: f"{'≤' if r.is_upper else '≥'} {r.limit:g}{'' if r.passed else ' (failed)'}"
        for r in check_gates(result.metrics["test"], result.config.gates)
    }
    table = "\n".join(
        f"| {name} | {'–' if value is None else f'{value:.4g}'} | {limits.get(name, '')} |"
        for name, value in result.metrics["test"].items()
    )
    members = [scenario for group in result.split.sets.values() for scenario in group]
    return _CARD.substitute(
        model=result.config.model,
        version=result.version,
        network=result.network,
        trained_at=result.trained_at.date().isoformat(),
        config_version=result.config.version,
        seed=result.config.seed,
        use=_USE[result.config.model],
        scenarios=len(members),
        towns=len({name.rsplit("/", 1)[0] for name in members}),
        grouped_by="town" if result.split.grouped_by == "batch" else "scenario",
        sizes=", ".join(f"{name} {len(group)}" for name, group in result.split.sets.items()),
        channels=len(result.model.channels_),
        statistics=", ".join(result.model.statistics_),
        points=SPEC.points,
        step_s=SPEC.step_s,
        table=table,
    )
