"""Code versions: a hash of the modules that a step is made of.

A step's own modules are the one that holds its computation and what that imports of this
package, on and on; the machinery below every step (files, lake, runner) is left out. Comments
and blank lines do not count.
"""

import hashlib
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "leak_assets"
# A change here changes how results are kept, not what they are.
MACHINERY = ("system", "warehouse", "pipeline", "settings", "errors")

_IMPORT = re.compile(
    r"^[ \t]*from (?P<module>[.\w]+) import (?P<names>\([^)]*\)|[^\n]*)$", re.MULTILINE
)
_NOT_CODE = re.compile(r"^[ \t]*(#.*)?\n", re.MULTILINE)


@cache
def code_version(*modules: str) -> str:
    """Return the hash of modules and of all that they import from this package, 12 digits."""
    digest = hashlib.sha256()
    for name in sorted(frozenset().union(*(own_modules(module) for module in modules))):
        path = _path(name)
        if path is not None:
            digest.update(f"{name}\n{_NOT_CODE.sub('', path.read_text('utf-8'))}".encode())
    return digest.hexdigest()[:12]


@cache
def own_modules(module: str) -> frozenset[str]:
    """Return a module and all modules of this package that it leads to, but the machinery."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or _is_machinery(name):
            continue
        found.add(name)
        waiting.extend(_imported(name))
    return frozenset(found)


def _is_machinery(name: str) -> bool:
    return name.split(".")[1] in MACHINERY if "." in name else True


@cache
def _imported(name: str) -> tuple[str, ...]:
    path = _path(name)
    if path is None:
        return ()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    out = []
    for match in _IMPORT.finditer(path.read_text("utf-8")):
        module = _absolute(match["module"], package)
        if module.split(".")[0] != PACKAGE:
            continue
        out.append(module)
        names = re.findall(r"\w+", match["names"])
        out.extend(f"{module}.{item}" for item in names if _path(f"{module}.{item}") is not None)
    return tuple(out)


def _absolute(module: str, package: str) -> str:
    dots = len(module) - len(module.lstrip("."))
    if dots == 0:
        return module
    base = package.split(".")[: len(package.split(".")) - dots + 1]
    return ".".join([*base, *([module[dots:]] if module[dots:] else [])])


@cache
def _path(name: str) -> Path | None:
    """Return the file of a module of this package, or None where the name is no module."""
    parts = name.split(".")
    file = _root().joinpath(*parts[1:])
    for candidate in (file.with_suffix(".py") if parts[1:] else file, file / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _root() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"the package {PACKAGE} is not installed")
    return Path(spec.origin).parent
