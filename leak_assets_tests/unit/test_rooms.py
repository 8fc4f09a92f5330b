"""The order of rooms: imports only go down, and no modules import each other in a circle."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import leak_assets

ROOT = Path(leak_assets.__file__).parent

# From the ground up; rooms of one floor do not know each other. Whoever moves a room says why in
# an ADR (0008 has the reasons of today's order).
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("settings", "units"),
    ("system",),
    ("warehouse",),
    ("sites",),
    ("pipeline",),
    ("hydraulics",),
    ("quality",),
    ("telemetry",),
    ("features",),
    ("exchange",),
    ("models",),
    ("plant", "household", "water"),
    ("detection",),
    ("incidents",),
    ("summaries",),
    ("audit",),
    ("reports",),
    ("runs",),
    ("benchmark",),
    ("deployment",),
    ("serving",),
    ("defs",),
    ("definitions",),
    ("demo",),
    ("commands",),
    ("cli",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# The rooms that may know Dagster; ruff's ban says it once more at each line.
KNOW_DAGSTER = {"defs", "definitions", "deployment", "demo", "commands", "cli"}


def modules() -> dict[str, Path]:
    """Return every module of the package with its file; a package stands for its `__init__`."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ["leak_assets", *path.relative_to(ROOT).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports() -> dict[str, dict[str, int]]:
    """Return for each module the modules of the package that it imports, with a line.

    Imports inside functions count: they are late, not up. Imports for annotations alone do not:
    nothing is loaded by them.
    """
    known = modules()
    return {name: dict(_imports_of(name, path, known)) for name, path in known.items()}


def _imports_of(name: str, path: Path, known: dict[str, Path]) -> Iterator[tuple[str, int]]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in _walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*up, *([base] if base else [])])
            # `from package import module` imports the module, `from module import name` does not.
            found = [
                f"{base}.{a.name}" if f"{base}.{a.name}" in known else base for a in node.names
            ]
        else:
            continue
        yield from ((target, node.lineno) for target in found if target in known)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a tree's nodes but those below `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _walk(child)


def room(module: str) -> str:
    """Return the room of a module."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def test_every_room_has_a_floor() -> None:
    """A new room is given its place in the order."""
    assert {room(name) for name in modules()} - {""} <= set(FLOOR)


def test_imports_go_down() -> None:
    """No room imports one that stands above it or beside it."""
    wrong = sorted(
        f"{name}:{line} imports {target}"
        for name, targets in imports().items()
        for target, line in targets.items()
        if room(name)
        and room(target)
        and room(name) != room(target)
        and FLOOR[room(target)] >= FLOOR[room(name)]
    )
    assert not wrong, "\n".join(wrong)


def test_only_the_upper_rooms_know_dagster() -> None:
    """Rooms compute without Dagster."""
    wrong = sorted(
        name
        for name, path in modules().items()
        if room(name) not in KNOW_DAGSTER | {""}
        and any(
            (isinstance(node, ast.Import) and any(a.name.startswith("dagster") for a in node.names))
            or (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dagster"))
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
        )
    )
    assert not wrong, "\n".join(wrong)


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Modules can be read one after the other."""
    import networkx as nx

    graph = nx.DiGraph((name, target) for name, targets in imports().items() for target in targets)
    circles = [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]
    assert not circles, "\n".join(" <-> ".join(circle) for circle in circles)
