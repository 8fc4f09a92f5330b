"""A number that the facts do not hold is found; other ways to write one that they do are not."""

import pytest

from leak_assets.summaries.faithfulness import unknown_number
from leak_assets.summaries.template import render


@pytest.mark.parametrize(
    "text",
    [
        "Since 2019-01-07T04:15:00+00:00 about 12.3 m³/h leak near pipe p227.",
        "Since 2019-01-07 04:15 (UTC+00:00) about 12 m3/h leak.",
        "On January 7, 2019 at 4:15 AM UTC, confirmed on 7 Jan 2019 at 6:30 am.",
        "A probability of 42 %, a confidence of 93%, 95.7 m^3 lost.",
        "Pressure at n105 fell by 1.32 m, at n296 by 0.7 m.",
        "Worth 76.58 EUR (0.80 EUR/m³); the 1st pipe is 45.6 m long.",
        "Incident l-town-20190107T0530-1db1, method likelihood 2.1.",
        "No number at all.",
    ],
)
def test_figures_of_the_facts_pass_however_written(leak_facts, text):
    """Rounding, per cent, thousands, dates, clock times, names."""
    assert unknown_number(text, leak_facts()) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The flow is 99.9 m³/h.", "99.9"),
        ("The flow is 12.6 m³/h.", "12.6"),
        ("Dig at p999.", "999"),
        ("Since 2019-01-08.", "2019"),
        ("Since 05:15.", "15"),
        ("A mean of 0.8765.", "0.8765"),
        ("A loss of 1,096 m³.", "1,096"),
        ("A probability of 77 %.", "77"),
        ("It is 12.3.99.9 m.", "99.9"),
        ("Flow １９９ m³/h.", "199"),
        ("Value −76.58 EUR and 9 people.", "9"),
    ],
)
def test_an_invented_figure_is_named(leak_facts, text, number):
    """The first one that stands nowhere in the facts."""
    assert unknown_number(text, leak_facts()) == number


def test_thousands_separators_are_read(leak_facts):
    """1,234.6 is 1234.56 rounded."""
    assert unknown_number("1,234.6 m³", leak_facts(volume_lost_m3=1234.56)) is None


def test_the_template_keeps_to_the_facts(leak_facts, plant_facts):
    """The guard passes our own text for both kinds of facts."""
    for facts in (leak_facts(), plant_facts):
        assert unknown_number(render(facts), facts) is None
