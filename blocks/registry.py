"""The catalog: the declarations installed here, our own and those of third parties."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from .attention.catalog import DECLARATIONS as ATTENTION
from .convolution.catalog import DECLARATIONS as CONVOLUTION
from .declaration import Declaration, Kind
from .embedding.catalog import DECLARATIONS as EMBEDDING
from .exit.catalog import DECLARATIONS as EXIT
from .feedforward.catalog import DECLARATIONS as FEEDFORWARD
from .linear.catalog import DECLARATIONS as LINEAR
from .memory.catalog import DECLARATIONS as MEMORY
from .norm.catalog import DECLARATIONS as NORM
from .recurrent.catalog import DECLARATIONS as RECURRENT
from .residual.catalog import DECLARATIONS as RESIDUAL
from .router.catalog import DECLARATIONS as ROUTER
from .source import Sources

ENTRY_POINTS = "praxis_evolve.blocks"
"""The entry-point group of third parties; each entry names a Declaration or a tuple of them."""

OWN = (
    *ATTENTION, *CONVOLUTION, *EMBEDDING, *EXIT, *FEEDFORWARD, *LINEAR, *MEMORY, *NORM, *RECURRENT,
    *RESIDUAL, *ROUTER,
)  # fmt: skip


class CatalogError(ValueError):
    """What is installed does not make a catalog."""


@dataclass(frozen=True)
class Catalog:
    """Declarations by name, with lookups that suggest the nearest name."""

    declarations: tuple[Declaration, ...]
    _by_name: Mapping[str, Declaration] = field(init=False, repr=False, compare=False)
    _by_kind: Mapping[Kind, tuple[Declaration, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name: dict[str, Declaration] = {}
        for declaration in self.declarations:
            if declaration.name in by_name:
                raise CatalogError(
                    f"two blocks are called {declaration.name!r}: "
                    f"{by_name[declaration.name].path} and {declaration.path}; "
                    "uninstall one of the distributions or rename its block"
                )
            by_name[declaration.name] = declaration
        object.__setattr__(self, "_by_name", by_name)
        kinds = dict.fromkeys(d.kind for d in self.declarations)
        by_kind = {k: tuple(d for d in self.declarations if d.kind == k) for k in kinds}
        object.__setattr__(self, "_by_kind", by_kind)

    def __getitem__(self, name: str) -> Declaration:
        try:
            return self._by_name[name]
        except KeyError:
            nearest = difflib.get_close_matches(name, self._by_name, n=3)
            hint = f"the nearest are {nearest}" if nearest else f"there are {list(self._by_name)}"
            raise KeyError(f"no block is called {name!r}; {hint}") from None

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Declaration]:
        return iter(self.declarations)

    def of(self, kind: Kind) -> tuple[Declaration, ...]:
        """Return the declarations of one kind, in the order of the catalog."""
        return self._by_kind.get(kind, ())

    @cached_property
    def mixing(self) -> Mapping[bool, tuple[Declaration, ...]]:
        """The blocks that mix tokens, and those that do not."""
        return {
            mixes: tuple(d for d in self.of("block") if d.mixes == mixes) for mixes in (True, False)
        }

    @cached_property
    def preludes(self) -> tuple[Declaration, ...]:
        """The blocks that may stand before another block's input."""
        return tuple(d for d in self.of("block") if d.prelude)

    @cached_property
    def segmented(self) -> frozenset[str]:
        """The names of what reads segments."""
        return frozenset(d.name for d in self.declarations if d.segmented)

    def only(self, names: Iterable[str]) -> Catalog:
        """Return the catalog restricted to these names; the same one where that is all of it.

        Raises:
            KeyError: a name is not in the catalog.
        """
        found = tuple(self[name] for name in names)
        return self if found == self.declarations else Catalog(found)

    def extended(self, *more: Declaration) -> Catalog:
        """Return the catalog with more declarations."""
        return Catalog((*self.declarations, *more))

    @cached_property
    def sources(self) -> Mapping[str, str]:
        """Version and digest of the source of everything in the catalog, ``1/ab12...``, by name."""
        read = Sources()
        return {d.name: f"{d.version}/{read.of(d)}" for d in self.declarations}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the name, version and source of everything in the catalog."""
        lines = (f"{name} {source}" for name, source in self.sources.items())
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


@cache
def installed() -> Catalog:
    """Return our own declarations and those that other distributions offer by entry point.

    Raises:
        CatalogError: two declarations have one name, or an entry point names something else.
    """
    return Catalog((*OWN, *(declaration for _, declaration in third_party())))


def third_party() -> Iterator[tuple[EntryPoint, Declaration]]:
    """Yield what other distributions offer, each with the entry point that names it.

    Raises:
        CatalogError: an entry point names something else.
    """
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda e: (e.name, e.value)):
        found: object = entry.load()
        several = cast("tuple[object, ...]", found if isinstance(found, tuple) else (found,))
        for declaration in several:
            if not isinstance(declaration, Declaration):
                raise CatalogError(
                    f"entry point {entry.name!r} = {entry.value!r} must name a Declaration or a "
                    f"tuple of them, but names {declaration!r}"
                )
            yield entry, declaration
