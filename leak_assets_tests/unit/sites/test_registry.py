"""Models by name and by path, and what happens with unusable ones."""

import subprocess
import sys
import warnings
from datetime import date
from pathlib import Path

import pytest

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.sites import (
    load_layout,
    packaged_names,
    register,
    registered_names,
    resolve,
    resolve_registered,
)
from leak_assets.sites.model_file import read_model
from leak_assets.sites.site import network_site


@pytest.mark.parametrize("name", ["l-town", "hanoi", "net1", "net2", "net3", "net6", "ky4", "ky10"])
def test_packaged_models_have_names(name: str) -> None:
    """The models of the installed wheels are known by slug."""
    assert name in packaged_names()


def test_listing_and_resolving_import_no_heavy_library() -> None:
    """Names are found without importing wntr or epyt."""
    code = (
        "import sys; from leak_assets.sites import packaged_names, resolve;"
        "from leak_assets.settings import Settings;"
        "resolve('L-TOWN', Settings()); packaged_names();"
        "assert not {'wntr', 'epyt', 'scipy', 'networkx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_name_is_case_insensitive(settings: Settings) -> None:
    """`L-TOWN` and `l-town` are the same network, whose patterns begin on a Tuesday."""
    network = resolve("L-TOWN", settings)
    assert network == resolve("l-town", settings)
    assert network.pattern_epoch.weekday() == 1


def test_every_call_gives_a_fresh_model(net3) -> None:
    """Changes to a returned model do not reach the next one or the file."""
    before = net3.inp_path.read_bytes()
    model = net3.water_network()
    model.get_link("20").diameter = 9.0
    assert net3.water_network().get_link("20").diameter != 9.0
    assert net3.inp_path.read_bytes() == before


def written(settings: Settings) -> list[Path]:
    """Return everything that lies in the home."""
    return [path for path in settings.home.rglob("*") if path.suffix in (".inp", ".yaml")]


def test_asking_for_a_path_writes_nothing(settings: Settings, small_inp: Path) -> None:
    """A file is a network where it lies; only registering gives it a name for other runs."""
    before = written(settings)
    by_path = resolve(small_inp, settings)
    assert (by_path.name, by_path.inp_path, by_path.is_registered) == (
        "small-town",
        small_inp,
        False,
    )
    assert by_path.water_network().num_pipes == 5
    assert written(settings) == before
    with pytest.raises(InputError, match=r"networks register .*Small Town\.inp"):
        resolve_registered(small_inp, settings)
    with pytest.raises(InputError, match="unknown network"):
        resolve("small-town", settings)


def test_registered_model_resolves_by_name_and_by_path(settings: Settings, small_inp: Path) -> None:
    """Registering makes the name known; the file and any copy of it are that network."""
    network = register(small_inp, settings, name="mine")
    assert resolve("mine", settings) == resolve_registered(small_inp, settings) == network
    assert registered_names(settings) == ("mine",)
    assert network.inp_path.parent == settings.networks_dir
    assert network.is_registered


def test_a_network_says_how_often_its_loggers_ask(settings: Settings, small_inp: Path) -> None:
    """The contract of its readings follows; what leaves half-hours empty is refused."""
    usual = network_site(register(small_inp, settings).name, settings).contract
    assert usual.cadence_s == 300
    slow = network_site(register(small_inp, settings, cadence_s=900).name, settings).contract
    assert (slow.cadence_s, slow.sha256 != usual.sha256) == (900, True)
    assert network_site(small_inp, settings).contract == slow
    for wrong in (3600, 700, 0):
        with pytest.raises(InputError, match="divides half an hour"):
            register(small_inp, settings, cadence_s=wrong)


def test_a_curve_that_nothing_uses_is_no_news(small_inp: Path) -> None:
    """What a pump left behind that was taken out is read without a word."""
    small_inp.write_text("[CURVES]\n c1 0 50\n c1 10 40\n" + small_inp.read_text())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_model(small_inp).curve_name_list == ["c1"]


def test_edited_model_replaces_its_copy(settings: Settings, small_inp: Path) -> None:
    """The same file registered again after an edit is the same network with a new hash."""
    first = register(small_inp, settings)
    small_inp.write_text(small_inp.read_text().replace("p4 b c 60", "p4 b c 61"))
    edited = resolve(small_inp, settings)
    assert (edited.is_registered, edited.name.startswith("small-town-")) == (False, True)
    second = register(small_inp, settings)
    assert (second.name, second.sha256 != first.sha256) == (first.name, True)


def test_two_files_of_one_name_stay_apart(settings: Settings, small_inp: Path, tmp_path) -> None:
    """Another file of the same name gets a name of its own."""
    first = register(small_inp, settings)
    other = tmp_path / "theirs" / small_inp.name
    other.parent.mkdir()
    other.write_text(small_inp.read_text().replace("p4 b c 60", "p4 b c 61"))
    assert resolve(other, settings).name.startswith(f"{first.name}-")
    assert register(other, settings).name.startswith(f"{first.name}-")


def test_byte_order_mark_is_no_part_of_a_model(settings: Settings, small_inp: Path) -> None:
    """What Windows editors put before the text changes neither model nor identity."""
    plain = register(small_inp, settings)
    small_inp.write_bytes(b"\xef\xbb\xbf" + small_inp.read_bytes())
    marked = resolve(small_inp, settings)
    assert marked == plain
    (settings.networks_dir / "small-town.inp").unlink()
    assert resolve(small_inp, settings).water_network().num_pipes == 5
    assert not register(small_inp, settings).inp_path.read_bytes().startswith(b"\xef")


@pytest.mark.parametrize(
    ("old", "new", "row", "words"),
    [
        ("p2 a b 400", "p2 a a 400", 11, "same node 'a'"),
        ("p3 a b 200", "p2 a b 200", 12, "link 'p2' is defined twice, first in row 11"),
        (" b 0 0\n c", " a 0 0\n c", 3, "node 'a' is defined twice"),
        ("p2 a b 400 300", "p2 a b 400 1e308", None, "diameter of 1e"),
        ("p2 a b 400 300", "p2 a b inf 300", None, "length of inf"),
        (" e 0 1\n", " e 0 nan\n", None, "junction 'e': demand is nan"),
        (" r 50", " r nan", None, "reservoir 'r': head is nan"),
        (" p5 d e 80 300 100 0 Open\n", "", None, "no pipe joins these .*: e"),
        (" v1 c d", " v1 e d", None, "no pipe joins these .*: d, e"),
    ],
)
def test_what_no_solver_could_solve_is_refused_at_the_door(
    settings: Settings, small_inp: Path, old: str, new: str, row: int | None, words: str
) -> None:
    """Doubled and lost elements and numbers that no network has are named, with their row."""
    text = small_inp.read_text()
    assert old in text
    small_inp.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=words) as caught:
        resolve(small_inp, settings)
    assert caught.value.row == row


@pytest.mark.parametrize("name", ["a" * 300, "..", "a\0b/c.inp", "x" * 300 + ".inp", "~nobody/x"])
def test_names_that_no_file_can_have_are_one_line(settings: Settings, name: str) -> None:
    """Names too long, empty, with a NUL or of an unknown home are told."""
    with pytest.raises(InputError) as caught:
        resolve(name, settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a" * 101, "..", ""])
def test_a_name_to_register_is_checked(settings: Settings, small_inp: Path, name: str) -> None:
    """A name becomes part of file names: not too long, and with a letter or digit."""
    with pytest.raises(InputError, match="the name"):
        register(small_inp, settings, name=name)


def test_copy_of_packaged_model_is_that_model(settings: Settings, ltown, tmp_path: Path) -> None:
    """A path to an unchanged copy of L-Town gives L-Town with its official layout."""
    copy = tmp_path / "L-TOWN.inp"
    copy.write_bytes(ltown.inp_path.read_bytes())
    assert resolve(copy, settings).name == "l-town"
    assert registered_names(settings) == ()


def test_options_of_a_packaged_model_are_kept(settings: Settings, ltown, tmp_path: Path) -> None:
    """They reach the model by name too; what is known of it, and its layout, stay."""
    copy = tmp_path / "L-TOWN.inp"
    copy.write_bytes(ltown.inp_path.read_bytes())
    first, second = date(2018, 1, 8), date(2018, 6, 4)
    network = register(copy, settings, reference_first_day=first, reference_days=9)
    assert network == resolve("l-town", settings)
    assert (network.reference_first_days, network.reference_days) == ((first,), 9)
    assert (network.title, network.pattern_first_weekday) == (ltown.title, 1)
    assert load_layout(network) == load_layout(ltown)
    again = register(copy, settings, reference_first_day=second)
    assert (again.reference_first_days, again.reference_days) == ((first, second), 9)
    assert registered_names(settings) == ()
    with pytest.raises(InputError, match="someday"):
        register(copy, settings, pattern_first_weekday="someday")
    assert resolve("l-town", settings) == again


def test_taken_name_is_refused(settings: Settings, small_inp: Path) -> None:
    """A user cannot give a model the name of a packaged one."""
    with pytest.raises(InputError, match="another name"):
        register(small_inp, settings, name="L-Town")


def test_unknown_name_suggests_close_ones(settings: Settings) -> None:
    """A typing error is answered with what was probably meant."""
    with pytest.raises(InputError, match=r"Did you mean l-town.*leak-assets networks"):
        resolve("ltwon", settings)


@pytest.mark.parametrize(
    ("file", "row", "words"),
    [
        ("bad_syntax.inp", 330, "FOO"),
        ("bad_values.inp", 56, "node1"),
        ("bad_times.inp", None, "0:00:00:00"),
        ("not_there.inp", None, "does not exist"),
    ],
)
def test_unreadable_model_is_one_line(
    settings: Settings, broken_models: Path, file: str, row: int | None, words: str
) -> None:
    """A broken model names file, row where known, value and remedy, and is not registered."""
    with pytest.raises(InputError, match=words) as caught:
        resolve(broken_models / file, settings)
    assert "\n" not in str(caught.value)
    assert str(caught.value.file).endswith(file)
    assert caught.value.row == row
    assert registered_names(settings) == ()


def test_text_that_is_not_utf8_names_the_row(settings: Settings, small_inp: Path) -> None:
    """A latin-1 file is refused with the row of the first foreign byte."""
    small_inp.write_bytes(small_inp.read_bytes().replace(b" b 0 0", b" b 0 0 ;M\xfchle"))
    with pytest.raises(InputError, match=r"0xfc.*iconv") as caught:
        resolve(small_inp, settings)
    assert caught.value.row == 3


def test_empty_and_foreign_files_are_refused(settings: Settings, tmp_path: Path) -> None:
    """Neither an empty file nor a text without sections is a network."""
    empty, foreign = tmp_path / "empty.inp", tmp_path / "foreign.inp"
    empty.write_text(" \n")
    foreign.write_text("[TITLE]\nnothing else\n")
    with pytest.raises(InputError, match="empty"):
        resolve(empty, settings)
    with pytest.raises(InputError, match="no junction"):
        resolve(foreign, settings)


def test_node_defined_twice_is_named(settings: Settings) -> None:
    """A model with one name for two nodes is refused, not half read."""
    with pytest.raises(InputError, match="defined twice"):
        resolve("net1broken", settings).water_network()


def test_wrong_setting_names_its_key(settings: Settings, small_inp: Path) -> None:
    """A YAML value of the wrong kind names file and key."""
    network = register(small_inp, settings)
    assert network.settings_path is not None
    network.settings_path.write_text("pattern_first_weekday: someday\n")
    with pytest.raises(InputError, match="someday") as caught:
        resolve(network.name, settings)
    assert caught.value.column == "pattern_first_weekday"


def test_another_first_reference_day_is_added_to_those_before(
    settings: Settings, small_inp: Path
) -> None:
    """Renewing reference days keeps the earlier periods; the YAML has one date or a list."""
    register(small_inp, settings, reference_first_day=date(2019, 1, 1))
    network = register(small_inp, settings, reference_first_day=date(2019, 2, 1))
    assert network.reference_first_days == (date(2019, 1, 1), date(2019, 2, 1))
    assert register(small_inp, settings).reference_first_days == network.reference_first_days
    assert network.settings_path is not None
    network.settings_path.write_text("reference_first_day: 2019-03-01\n")
    assert resolve(network.name, settings).reference_first_days == (date(2019, 3, 1),)
    network.settings_path.write_text("reference_first_day: [2019-03-01, spring]\n")
    with pytest.raises(InputError, match="'spring' is not a date"):
        resolve(network.name, settings)
