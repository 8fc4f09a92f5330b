"""Random sequences of people, detectors, late data, corrections, restarts and clocks that jump."""

from pathlib import Path

from leak_assets_tests.incident_sequences import run


def test_invariants_hold_in_random_sequences(tmp_path: Path) -> None:
    """No transition lost, one state, history unchanged; the benchmark runs 10,000 of them."""
    outcome = run(tmp_path, sequences=120, steps=12)
    assert outcome.transitions > 200
    assert outcome.refused > 20
    assert outcome.conflicts > 10
