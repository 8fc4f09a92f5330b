"""`pyproject.toml` names what the package imports, and `constraints.txt` pins it."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]

# Declared and never imported: what they are for.
NEEDED_UNSEEN = {
    "dagster-dg-cli": "program behind `leak-assets dev`",
    "dagster-webserver": "started by `leak-assets dev`",
    "epyt": "data files of the benchmark networks",
    "fastapi-offline": "files of Swagger UI, served from its folder",
    "onnx": "torch's export writes with it",
    "onnxscript": "torch's export writes with it",
    "pandas": "Great Expectations and wntr exchange frames in it",
    "pyarrow": "polars reads and writes Parquet metadata and pandas frames with it",
    "pytz": "DuckDB returns TIMESTAMPTZ only where it is installed",
}


def normal(name: str) -> str:
    """Return a distribution's name as indices compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    """Return the distributions that an installation without extras brings by name."""
    return {normal(re.split(r"[<>=!~\[; ]", line)[0]) for line in PROJECT["dependencies"]}


def imported() -> dict[str, Path]:
    """Return the top-level modules that the package imports, with a file that does so."""
    found: dict[str, Path] = {}
    for path in sorted((REPOSITORY / "leak_assets").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for name in names:
                found.setdefault(name.split(".")[0], path)
    foreign = found.keys() - sys.stdlib_module_names - {"leak_assets"}
    return {name: found[name] for name in foreign}


def test_every_imported_package_is_declared() -> None:
    """An import that works only because another package brings it breaks with that package."""
    distributions = packages_distributions()
    undeclared = {
        name: str(path)
        for name, path in imported().items()
        if not {normal(d) for d in distributions.get(name, [name])} & declared()
    }
    assert undeclared == {}


def test_every_declared_package_is_used() -> None:
    """What is declared is imported, or stands above with its reason."""
    distributions = packages_distributions()
    used = {normal(d) for name in imported() for d in distributions.get(name, [])}
    assert declared() - used == set(NEEDED_UNSEEN)


def test_every_declared_package_is_pinned() -> None:
    """`constraints.txt` has the version that was tried; torch's is in the Makefile, too."""
    pins = {
        normal(line.split("==")[0])
        for line in (REPOSITORY / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    extras = PROJECT["optional-dependencies"]
    names = [re.split(r"[<>=!~\[; ]", line)[0] for lines in extras.values() for line in lines]
    assert declared() | {normal(name) for name in names} <= pins
