"""Events that are not leaks: what they do to the network, and which are refused."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from leak_assets.errors import InputError
from leak_assets.hydraulics.engine.run import TownEngine, run_scenario
from leak_assets.hydraulics.towns.events import KINDS, Event, check_events
from leak_assets.hydraulics.towns.town import Town
from leak_assets.sites import load_layout

STEP_S = 300


def at(day, hours: float):
    """Return a time of the day."""
    return day + timedelta(hours=hours)


def run(network, day, events=(), hours: float = 6, **options):
    """Run some hours with events, everything recorded."""
    return run_scenario(
        network,
        load_layout(network),
        start_at=day,
        duration_s=int(hours * 3600),
        step_s=STEP_S,
        events=events,
        record="all",
        **options,
    )


def column(result, quantity: str, name: str) -> np.ndarray:
    """Return the true series of one element."""
    series = result.everything[quantity]
    return series.values[:, series.ids.index(name)]


def inside(day, event: Event, steps: int) -> np.ndarray:
    """Return at which steps an event is in use."""
    return event.is_on(day, STEP_S, steps)


@pytest.mark.parametrize("kind", ["fire_flow", "flushing", "large_customer"])
def test_drawn_water_comes_from_the_source(hanoi, monday, kind) -> None:
    """Inflow rises by the water that is drawn, pressure falls, only during the event."""
    event = Event(kind, "20", at(monday, 2), at(monday, 3), 200.0)
    quiet, drawn = run(hanoi, monday), run(hanoi, monday, [event])
    on = inside(monday, event, drawn.steps)
    assert on.sum() == 12
    lower = column(quiet, "pressure", "20") - column(drawn, "pressure", "20")
    assert (lower[on] > 0.05).all()
    assert np.allclose(lower[~on], 0, atol=1e-3)
    got = drawn.draw_flow[:, 0] * 3600
    assert (got[~on] == 0).all()
    assert ((got[on] > 100) & (got[on] <= 200)).all(), "pressure driven: at most what is wanted"
    # Water balance: what leaves the source is what all junctions and the event take.
    source = column(drawn, "demand", "1")
    others = [n for n in drawn.everything["demand"].ids if n != "1"]
    taken = sum(column(drawn, "demand", name) for name in others)
    assert np.allclose(-source, taken, rtol=1e-4)
    served = column(quiet, "pressure", "20")[on] > 25
    assert not served.all() or np.allclose(got[on], 200)
    assert drawn.draw_volume_m3()[0] == pytest.approx(drawn.draw_flow[on].sum() * STEP_S)


def test_meter_counts_a_customer_but_no_hydrant(ltown, monday) -> None:
    """At a metered junction the meter sees a large customer, not fire flow."""
    node = load_layout(ltown).ids("demand")[0]
    quiet = run(ltown, monday, hours=0.5).true["demand"].values[:, 0]
    for kind, share in (("large_customer", 1.0), ("fire_flow", 0.0)):
        event = Event(kind, node, monday, at(monday, 1), 10.0)
        seen = run(ltown, monday, [event], hours=0.5).true["demand"].values[:, 0]
        assert np.allclose((seen - quiet) * 3600, 10 * share, atol=0.02), kind


def test_tripped_pump_stays_off_whatever_its_controls_say(net1, monday) -> None:
    """The tank feeds the town meanwhile; then the pump follows its controls again."""
    event = Event("pump_trip", "9", at(monday, 1), at(monday, 5))
    quiet, tripped = run(net1, monday, hours=12), run(net1, monday, [event], hours=12)
    on = inside(monday, event, tripped.steps)
    assert (column(quiet, "flow", "9")[on] > 0).all()
    assert np.allclose(column(tripped, "flow", "9")[on], 0, atol=1e-6)
    assert (column(tripped, "flow", "9")[~on][:40] > 0).all()
    fell = column(quiet, "pressure", "2") - column(tripped, "pressure", "2")
    assert fell[np.flatnonzero(on)[-1]] > 1, "the tank's level"


def test_pump_that_fills_a_tank_runs_beyond_its_control(net1, monday) -> None:
    """Held on, the pump runs where its control would have stopped it, and the tank rises."""
    stops_at_m = 42.672
    with TownEngine(net1, load_layout(net1), Town.nominal(net1)) as engine:
        levels = {"2": 42.5}
        quiet = engine.run(start_at=monday, duration_s=3 * 3600, tank_levels=levels, record="all")
        event = Event("tank_fill", "9", monday, at(monday, 3))
        filled = engine.run(
            start_at=monday, duration_s=3 * 3600, tank_levels=levels, record="all", events=[event]
        )
        after = engine.run(start_at=monday, duration_s=3 * 3600, tank_levels=levels, record="all")
    assert column(quiet, "pressure", "2").max() < stops_at_m + 0.2
    assert column(filled, "pressure", "2").max() > stops_at_m + 0.3
    assert np.array_equal(column(quiet, "flow", "9"), column(after, "flow", "9")), "set back"


def test_set_point_moves_pressure_behind_the_valve(ltown, monday) -> None:
    """Pressure behind the valve follows the set-point and comes back."""
    model = ltown.water_network()
    valve = model.get_link("PRV-3")
    behind = valve.end_node_name
    event = Event("prv_set_point", "PRV-3", at(monday, 1), at(monday, 2), -5.0)
    result = run(ltown, monday, [event], hours=3)
    pressure, on = column(result, "pressure", behind), inside(monday, event, result.steps)
    assert np.allclose(pressure[on], pressure[0] - 5, atol=0.05)
    assert np.allclose(pressure[~on], pressure[0], atol=0.05)


def test_closed_pipe_carries_nothing_and_opens_again(net3, monday) -> None:
    """A valve operation stops the flow of its pipe for its time."""
    event = Event("valve_operation", "121", at(monday, 1), at(monday, 2))
    result = run(net3, monday, [event], hours=3)
    flow, on = np.abs(column(result, "flow", "121")), inside(monday, event, result.steps)
    assert np.allclose(flow[on], 0, atol=1e-6)
    assert (flow[~on] > 1e-4).all()


def test_boundary_valve_opens_a_pipe_that_the_town_has_closed(hanoi, monday) -> None:
    """The pipe that is closed in the town carries water while its valve is open."""
    town = replace(Town.nominal(hanoi), closed_pipes=("31",))
    event = Event("boundary_valve", "31", at(monday, 1), at(monday, 2))
    result = run(hanoi, monday, [event], hours=3, town=town)
    flow, on = np.abs(column(result, "flow", "31")), inside(monday, event, result.steps)
    assert (flow[on] > 1e-3).all()
    assert np.allclose(flow[~on], 0, atol=1e-6)
    with pytest.raises(InputError, match="open already"):
        run(hanoi, monday, [event])


def test_swapped_meter_reads_differently_while_the_water_is_the_same(ltown, monday) -> None:
    """Measured flow changes by the factor, true flow does not."""
    event = Event("meter_swap", "p227", at(monday, 1), at(monday, 9), 1.05)
    result = run(ltown, monday, [event], hours=2)
    place = result.measured["flow"].ids.index("p227")
    ratio = result.measured["flow"].values[:, place] / result.true["flow"].values[:, place]
    on = inside(monday, event, result.steps)
    assert np.allclose(ratio[on], 1.05)
    assert np.allclose(ratio[~on], 1)


def test_events_do_not_change_the_noise_of_the_town(hanoi, monday) -> None:
    """With the same seed, demand before the event is the same as without it."""
    town = Town.draw(hanoi, 3)
    event = Event("fire_flow", "20", at(monday, 3), at(monday, 4), 100.0)
    quiet, drawn = (run(hanoi, monday, e, town=town, seed=5) for e in ((), (event,)))
    before = slice(0, 36)
    for quantity, series in quiet.measured.items():
        assert np.allclose(
            series.values[before], drawn.measured[quantity].values[before], atol=1e-3
        )


def test_repaired_leaks_and_events_at_once(ltown, monday) -> None:
    """Several leaks, one repaired, beside an event: each flow is its own series."""
    from leak_assets.hydraulics.towns.leaks import Leak

    leaks = [
        Leak("p523", at(monday, 0.5), 0.02, end_at=at(monday, 1.5)),
        Leak("p31", at(monday, 1), 0.015, "incipient", at(monday, 2)),
        Leak(None, at(monday, 1), 0.01, node_id="n215"),
    ]
    event = Event("flushing", "n1", at(monday, 1), at(monday, 2), 30.0)
    result = run(ltown, monday, [event], hours=3, leaks=leaks)
    flow = result.leak_flow_m3_per_h()
    assert (flow[6:18, 0] > 20).all()
    assert (flow[18:, 0] == 0).all()
    assert (np.diff(flow[12:25, 1]) > 0).all()
    assert (flow[12:, 2] > 3).all()
    drawn = result.draw_flow[:, 0] * 3600
    assert ((drawn[12:24] > 25) & (drawn[12:24] <= 30)).all()
    assert (drawn[24:] == 0).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "earthquake"}, "no such kind"),
        ({"element_id": "n9999"}, "no such junction"),
        ({"kind": "pump_trip", "size": 0.0}, "no such pump"),
        ({"kind": "prv_set_point", "size": -5.0}, "no such pressure reducing valve"),
        ({"kind": "meter_swap", "size": 1.1}, "no such flow meter"),
        ({"kind": "valve_operation", "element_id": "PUMP_1", "size": 0.0}, "no such pipe"),
        ({"kind": "valve_operation", "element_id": "p1"}, "has no size"),
        ({"size": 0.0}, "positive size"),
        ({"size": float("nan")}, "positive size"),
        (
            {"kind": "prv_set_point", "element_id": "PRV-1", "size": float("nan")},
            "size nan",
        ),
    ],
)
def test_impossible_event_is_refused(ltown, monday, changes, words) -> None:
    """The message names kind and element."""
    values = {"kind": "fire_flow", "element_id": "n1", "size": 10.0} | changes

    def refused() -> None:
        event = Event(start_at=monday, end_at=at(monday, 1), **values)
        check_events(ltown.water_network(), load_layout(ltown), [event])

    with pytest.raises(InputError, match=words) as caught:
        refused()
    assert values["kind"] in str(caught.value)
    assert values["element_id"] in str(caught.value)


def test_event_needs_a_time(monday) -> None:
    """It ends after it starts, in UTC."""
    with pytest.raises(InputError, match="not after its start"):
        Event("fire_flow", "n1", monday, monday, 10.0)
    with pytest.raises(InputError, match="time zone"):
        Event("fire_flow", "n1", monday.replace(tzinfo=None), at(monday, 1), 10.0)


def test_two_events_cannot_hold_one_link(ltown, monday) -> None:
    """One after the other they may."""
    model, layout = ltown.water_network(), load_layout(ltown)
    first = Event("pump_trip", "PUMP_1", monday, at(monday, 2))
    check_events(model, layout, [first, Event("tank_fill", "PUMP_1", at(monday, 2), at(monday, 3))])
    with pytest.raises(InputError, match="tank_fill holds it"):
        check_events(
            model, layout, [first, Event("tank_fill", "PUMP_1", at(monday, 1), at(monday, 3))]
        )


def test_link_under_rules_is_refused(settings, model_path, monday) -> None:
    """EPANET's rules cannot be suspended, so an event there would be undone."""
    from leak_assets.sites import resolve

    model_path.write_text(
        "[JUNCTIONS]\n a 0 1\n b 0 1\n[RESERVOIRS]\n r 50\n[PIPES]\n p1 r a 100 300 100 0 Open\n"
        " p2 a b 100 300 100 0 Open\n p3 r b 100 300 100 0 Open\n[RULES]\nRULE 1\n"
        "IF SYSTEM TIME > 2\nTHEN PIPE p3 STATUS IS CLOSED\n\n"
        "[OPTIONS]\n Units LPS\n Headloss H-W\n[END]\n"
    )
    network = resolve(model_path, settings)
    model, layout = network.water_network(), load_layout(network)
    check_events(model, layout, [Event("valve_operation", "p2", monday, at(monday, 1))])
    with pytest.raises(InputError, match="p3: the link is under rules"):
        check_events(model, layout, [Event("valve_operation", "p3", monday, at(monday, 1))])


def test_every_kind_is_tried_here() -> None:
    """A new kind needs a test of its effect."""
    assert set(KINDS) == {
        "fire_flow",
        "flushing",
        "large_customer",
        "pump_trip",
        "tank_fill",
        "prv_set_point",
        "valve_operation",
        "boundary_valve",
        "meter_swap",
    }
