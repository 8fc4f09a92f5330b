"""Code versions: a hash of the modules that a step is made of.

A step's own modules are the one that holds its computation and what that imports of this
package, on and on; the machinery below every step (files, lake, runner) is left out. Blank lines
and lines that hold only a comment do not count.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "leak_assets"
# A change here changes how results are kept, not what they are.
MACHINERY = tuple(
    f"{PACKAGE}.{room}" for room in ("system", "warehouse", "pipeline", "settings", "errors")
)

_FROM = re.compile(
    r"^[ \t]*from (?P<module>[.\w]+) import (?P<names>\([^)]*\)|[^\n]*)$", re.MULTILINE
)
_IMPORT = re.compile(r"^[ \t]*import (?P<module>[.\w]+)", re.MULTILINE)
# Text in quotes is kept whole: a blank line of a prompt is content.
_TEXT_OR_REMARK = re.compile(r'("""[\s\S]*?""")|^[ \t]*(?:#.*)?\n', re.MULTILINE)


@cache
def code_version(*modules: str) -> str:
    """Return the hash of modules and of all that they import from this package, 12 digits.

    Of a step that another package brings along, that package's modules count too.

    Raises
    ------
    ValueError
        One of the modules has no source file, so nothing would show that it changed.
    """
    tops = frozenset(name.partition(".")[0] for name in modules) | {PACKAGE}
    return _installed(tops).version(*modules)


class SourceTree:
    """Python modules by name, read once.

    Parameters
    ----------
    roots
        Folder of each package that counts, by the package's name.
    machinery
        Modules and packages that do not count.
    """

    def __init__(self, roots: Mapping[str, Path], machinery: tuple[str, ...] = MACHINERY) -> None:
        self.machinery = machinery
        self._paths = {
            name: path for top, root in roots.items() for name, path in _files(top, root)
        }
        self._texts: dict[str, str] = {}
        self._imports: dict[str, tuple[str, ...]] = {}
        self._content: dict[str, bytes] = {}

    def version(self, *modules: str) -> str:
        """Return the hash of modules and of all that they lead to, 12 digits."""
        digest = hashlib.sha256()
        for name in sorted(frozenset().union(*(self.own_modules(module) for module in modules))):
            digest.update(self._code(name))
        return digest.hexdigest()[:12]

    def own_modules(self, module: str) -> frozenset[str]:
        """Return a module and all modules that it leads to, but the machinery.

        Raises
        ------
        ValueError
            The module has no source file.
        """
        if module not in self._paths:
            raise ValueError(f"module {module} has no source file, so its code has no version")
        found: set[str] = set()
        waiting = [module]
        while waiting:
            name = waiting.pop()
            if name not in found and not self._is_machinery(name):
                found.add(name)
                waiting.extend(self._imported(name))
        return frozenset(found)

    def _is_machinery(self, name: str) -> bool:
        return any(name == own or name.startswith(f"{own}.") for own in self.machinery)

    def _imported(self, name: str) -> tuple[str, ...]:
        if name not in self._imports:
            self._imports[name] = tuple(dict.fromkeys(self._find_imports(name)))
        return self._imports[name]

    def _find_imports(self, name: str) -> list[str]:
        package = name if self._paths[name].name == "__init__.py" else name.rpartition(".")[0]
        text = self._text(name)
        found = [match["module"] for match in _IMPORT.finditer(text)]
        for match in _FROM.finditer(text):
            module = _absolute(match["module"], package)
            names = re.findall(r"\w+", match["names"])
            found += [module, *(f"{module}.{item}" for item in names)]
        return [module for module in found if module in self._paths]

    def _code(self, name: str) -> bytes:
        if name not in self._content:
            text = self._text(name)
            code = _TEXT_OR_REMARK.sub(lambda match: match[1] or "", text)
            self._content[name] = f"{name}\n{code}".encode()
        return self._content[name]

    def _text(self, name: str) -> str:
        if name not in self._texts:
            self._texts[name] = self._paths[name].read_text("utf-8")
        return self._texts[name]


def _files(top: str, root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the modules of a package with their files; a package stands before a module."""
    for folder, _, names in os.walk(root):
        package = ".".join([top, *Path(folder).relative_to(root).parts])
        for name in names:
            if name == "__init__.py":
                yield package, Path(folder) / name
            elif name.endswith(".py"):
                yield f"{package}.{name.removesuffix('.py')}", Path(folder) / name


def _absolute(module: str, package: str) -> str:
    dots = len(module) - len(module.lstrip("."))
    if dots == 0:
        return module
    base = package.split(".")[: len(package.split(".")) - dots + 1]
    return ".".join([*base, *([module[dots:]] if module[dots:] else [])])


@cache
def _installed(packages: frozenset[str]) -> SourceTree:
    return SourceTree({name: folder for name in packages if (folder := _folder(name)) is not None})


def _folder(package: str) -> Path | None:
    spec = find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(places[0]) if places else None
