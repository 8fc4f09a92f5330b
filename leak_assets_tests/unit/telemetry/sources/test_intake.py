"""Which deliveries a run takes: days that touch, three attempts, a failed one alone."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from leak_assets.telemetry.sources.intake import Attempts, given_up, plan_runs


@dataclass(frozen=True)
class Made:
    """A delivery with days of March 2019."""

    name: str
    first: int
    last: int
    network: str = "hanoi"
    source: str = "file"
    fingerprint: str = "1"
    received_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def days(self) -> tuple[date, date]:
        """Return its days."""
        return date(2019, 3, self.first), date(2019, 3, self.last)


def names(waiting: list[Made], attempts: Attempts | None = None, **options: object) -> list[str]:
    """Return the deliveries of each run in short."""
    runs = plan_runs(waiting, attempts or Attempts(), **options)  # type: ignore[arg-type]
    return ["".join(d.name for d in run.deliveries) for run in runs]


def test_days_that_touch_are_one_run_earliest_first() -> None:
    """Later days wait for the run of the earlier ones; their order is that of receipt."""
    waiting = [Made("c", 9, 9), Made("b", 5, 6), Made("a", 3, 4), Made("d", 6, 6)]
    [run] = plan_runs(waiting, Attempts())
    assert [d.name for d in run.deliveries] == ["b", "a", "d"]
    assert run.days == tuple(date(2019, 3, day) for day in (3, 4, 5, 6))
    assert names([Made("c", 9, 9)]) == ["c"]


def test_networks_do_not_wait_for_each_other() -> None:
    """One run each, none for a network that has one under way."""
    waiting = [Made("a", 3, 4), Made("b", 3, 4, network="net1")]
    assert names(waiting) == ["a", "b"]
    assert names(waiting, busy={"hanoi"}) == ["b"]


def test_run_key_is_that_of_files_and_attempt() -> None:
    """The same request twice has one key; another attempt or content another."""
    attempts = Attempts()
    [first] = plan_runs([Made("a", 3, 4)], attempts)
    [again] = plan_runs([Made("a", 3, 4)], attempts)
    attempts.count(first)
    [second] = plan_runs([Made("a", 3, 4)], attempts)
    [changed] = plan_runs([Made("a", 3, 4, fingerprint="2")], Attempts())
    assert first.key == again.key
    assert len({first.key, second.key, changed.key}) == 3


def test_a_failed_delivery_goes_alone() -> None:
    """It does not take its neighbors along into its next failures."""
    attempts = Attempts()
    bad, good = Made("a", 3, 4), Made("b", 3, 4)
    attempts.count(plan_runs([bad], attempts)[0])
    assert names([bad, good], attempts) == ["a"]
    attempts.count(plan_runs([bad, good], attempts)[0])
    attempts.count(plan_runs([bad, good], attempts)[0])
    assert names([bad, good], attempts) == ["b"]
    [line] = given_up([bad, good], attempts)
    assert "a was not taken by 3 runs" in line


def test_a_changed_delivery_starts_anew() -> None:
    """Attempts are those of one content; what waits no longer is forgotten."""
    attempts = Attempts()
    old, new = Made("a", 3, 4), Made("a", 3, 4, fingerprint="2")
    for _ in range(3):
        attempts.count(plan_runs([old], attempts)[0])
    assert names([old], attempts) == []
    assert names([new], attempts) == ["a"]
    attempts.keep([new])
    assert attempts.counts == {}


def test_attempts_are_kept_as_text() -> None:
    """Also where another version of the platform wrote the cursor."""
    attempts = Attempts()
    attempts.count(plan_runs([Made("a", 3, 4)], attempts)[0])
    assert Attempts.from_json(attempts.to_json()) == attempts
    assert Attempts.from_json(None) == Attempts.from_json('{"done": {}, "in_flight": {}}')
