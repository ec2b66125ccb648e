"""The source of a declared thing: the files that its class is made of, read without importing them.

A block is its own file and those that it imports from its own distribution and from this package. A
digest of all of them changes with whatever the block computes, so a verdict or a result under one
digest is about one program.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from random import Random

from .declaration import Declaration, Size

OURS = (__package__ or "").partition(".")[0]

SIZES = (
    Size(64, 128, 32),
    Size(96, 80, 16, 300),
    Size(96, 80, 16, 300, tokens=48),
    Size(96, 80, 16, 300, tokens=16, past=32),
    Size(96, 80, 16, 300, tokens=16, past=32, gaps=True),
)
DRAWS = 6
"""Where the cost formula is asked for the digest: a formula has no text of its own."""

TOLD_APART = (
    *("family", "summary", "paper", "usual", "lengthless"),
    *("settings", "cost", "share", "head"),
)
"""Fields that are words for people or name genomes, and those that are told by their values."""


class Sources:
    """Digests of sources as they are now; files are read once for each instance."""

    def __init__(self) -> None:
        self._files: dict[str, Path | None] = {}
        self._hashes: dict[str, str] = {}
        self._imported: dict[str, tuple[str, ...]] = {}

    def of(self, declaration: Declaration) -> str:
        """Return the SHA-256 of the class's source and of what its declaration says.

        Raises:
            ImportError: there is no such module; the text names the declaration.
        """
        module = declaration.path.partition(":")[0]
        if self._file(module) is None:
            raise ImportError(f"block {declaration.name!r}: there is no module {module!r}")
        said = "\n".join(_said(declaration))
        return hashlib.sha256(f"{said}\n{self.of_module(module)}".encode()).hexdigest()

    def of_module(self, module: str) -> str:
        """Return the SHA-256 of a module and of what it imports."""
        lines = (f"{name} {self._hash(name)}" for name in sorted(self.modules(module)))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def modules(self, module: str) -> set[str]:
        """Return *module* and all that it imports, from its own top-level package and from ours."""
        roots = {OURS, module.partition(".")[0]}
        found, left = {module}, [module]
        while left:
            new = {name for name in self._imports(left.pop()) if name.partition(".")[0] in roots}
            left += new - found
            found |= new
        return found

    def _imports(self, module: str) -> tuple[str, ...]:
        if module not in self._imported:
            file = self._file(module)
            package = module
            if file is not None and file.name != "__init__.py":
                package = module.rpartition(".")[0]
            names = _candidates(file.read_text(encoding="utf-8"), package) if file else ()
            self._imported[module] = tuple(n for n in names if self._file(n) is not None)
        return self._imported[module]

    def _hash(self, module: str) -> str:
        if module not in self._hashes:
            file = self._file(module)
            self._hashes[module] = hashlib.sha256(file.read_bytes() if file else b"").hexdigest()
        return self._hashes[module]

    def _file(self, module: str) -> Path | None:
        if module not in self._files:
            self._files[module] = _found(module)
        return self._files[module]


def source_digest(declaration: Declaration) -> str:
    """Return the digest of one declared thing; see ``Sources.of``."""
    return Sources().of(declaration)


def _said(declaration: Declaration) -> Iterator[str]:
    """Yield what a declaration says, its formula as values at a few sizes and settings."""
    for field in fields(declaration):
        if field.name not in TOLD_APART:
            yield f"{field.name} {getattr(declaration, field.name)!r}"
    for name, setting in declaration.settings.items():
        yield f"setting {name} {setting.range!r} {setting.default!r} {setting.when!r}"
        if setting.legacy is not None:  # what a genome without the setting means
            yield f"legacy {name} {setting.legacy!r}"
    rng = Random(0)
    for draw in range(DRAWS):
        settings = declaration.defaults()
        if draw:
            settings = {k: s.range.sample(rng) for k, s in declaration.settings.items()}
        yield from (f"cost {declaration.cost(size, settings)!r}" for size in SIZES)
        if declaration.share is not None:
            yield f"share {declaration.share(settings)!r}"
        if declaration.head is not None:
            yield from (f"head {declaration.head(size, settings)!r}" for size in SIZES)


@lru_cache(maxsize=1024)
def _candidates(text: str, package: str) -> tuple[str, ...]:
    """Return what a file may import, as absolute names; some are no modules but names in one."""
    found: set[str] = set()
    parts = package.split(".") if package else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level + 1] if node.level else []
            base = base + ([node.module] if node.module else [])
            found |= {".".join(base), *(".".join([*base, name.name]) for name in node.names)}
    return tuple(sorted(found - {""}))


def _found(module: str) -> Path | None:
    """Return the file of a module; only its top-level package is asked for, nothing is imported."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for folder in spec.submodule_search_locations or ():
        place = Path(folder, *rest)
        for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None
