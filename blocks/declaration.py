"""Declarations: what the search and the cost model know of a block without importing torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .ranges import Range, Value

Settings = Mapping[str, Value]

Kind = Literal["block", "router", "residual", "norm", "embedding", "exit"]
"""Where in a genome a declared thing can stand; ``blocks/kinds.py`` has the call of each kind."""

Precision = Literal["full", "ternary", "binary"]
"""How a projection holds its weights: as they are, in {-b, 0, b}, or in {-b, b}."""

Place = Literal["before", "branch", "sum"]
"""Where a visit has a norm: on the block's input, on its output, or on the stream it wrote to."""


@dataclass(frozen=True)
class Size:
    """The measures that a cost formula may depend on besides the settings.

    ``context`` is the most tokens that a row may look back on, ``segment`` the tokens of one
    segment. ``tokens`` is the number of tokens of the call that is counted; None means a full
    context. ``past`` is the number of tokens of the row that earlier calls had: the formulas then
    count a call that goes on from their carry, at index ``past`` of the row. How the past was cut
    into calls makes no difference. ``gaps`` says that the call stands behind a router that leaves
    tokens out, so that its tokens, and those of the past, are what the router picked. ``head``
    is the operations of decoding one token; None means a matrix of width times vocabulary.
    """

    width: int
    context: int
    segment: int
    vocabulary: int = 256
    tokens: int | None = None
    past: int = 0
    gaps: bool = False
    head: float | None = None

    @property
    def decoding(self) -> float:
        """The operations of decoding one token to logits."""
        return 2 * self.width * self.vocabulary if self.head is None else self.head

    @property
    def row(self) -> int:
        """The number of tokens that the formulas count."""
        return self.context if self.tokens is None else self.tokens

    @property
    def seen(self) -> int:
        """The number of tokens that the row has after the call."""
        return self.past + self.row


@dataclass(frozen=True)
class Cost:
    """What one declared thing costs.

    ``parameters`` are counted once for each tensor; ``flops`` are the forward operations of a call
    of ``size.row`` tokens of one row as ``torch.utils.flop_counter`` counts them (2 for a
    multiply-add, matrix products and convolutions only); ``carry`` is the bytes of one row's carry
    after these and the ``size.past`` tokens before them, in float32.
    """

    parameters: int = 0
    flops: float = 0.0
    carry: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.parameters + other.parameters, self.flops + other.flops, self.carry + other.carry
        )


@dataclass(frozen=True)
class When:
    """A condition: a setting is alive only while another one has one of these values."""

    setting: str
    among: tuple[Value, ...]


@dataclass(frozen=True)
class Setting:
    """One searchable setting: its range, default and meaning.

    ``when`` makes it conditional: while the condition fails the setting is dead and not part of a
    genome's identity. ``legacy`` is, for a setting added in a later version, the value that means
    what blocks did before; it is left out of the identity.
    """

    range: Range
    default: Value
    meaning: str
    when: When | None = None
    legacy: Value | None = None


@dataclass(frozen=True)
class Declaration:
    """A named thing of the catalog: settings, family, paper, cost formula, path of its class.

    ``path`` is ``module:Class``. ``cost(size, settings)`` gets every setting. ``mixes`` says that
    an output may depend on earlier tokens (so that the block has a carry); ``prelude`` that the
    block may also stand before another block's input; ``segmented`` that it reads
    ``frame.segment``. ``share(settings)`` is, for a router, the share of the tokens that the visit
    works on; ``norms`` says, for a residual, where a visit has norms. Of a block ``projects`` says
    that it has projections, whose precision is a gene of the pool entry, and ``routed`` that it may
    stand behind a router that leaves tokens out (its work there must not hang on which).
    ``head(size, settings)`` is, of an embedding whose tied head is no (V, W) matrix, the operations
    of decoding one token. ``usual(settings)`` returns, where several settings compute the same at
    every width, the ones that stand for all of them in a genome's identity. ``lengthless`` says, of
    a residual, a norm and a router, that no visit under it sees the length of what it reads: all
    that is done with it comes behind the norm, which divides by the length (up to the small number
    that norms add). Where all three say so, the sum of several reads is their mean.
    """

    name: str
    kind: Kind
    family: str
    summary: str
    paper: str
    path: str
    cost: Callable[[Size, Settings], Cost]
    settings: Mapping[str, Setting] = field(default_factory=dict[str, Setting])
    mixes: bool = False
    prelude: bool = False
    segmented: bool = False
    share: Callable[[Settings], float] | None = None
    norms: tuple[Place, ...] = ("before",)
    projects: bool = False
    routed: bool = True
    head: Callable[[Size, Settings], float] | None = None
    usual: Callable[[Settings], Settings] | None = None
    lengthless: bool = False
    version: int = 1

    def load(self) -> type[Any]:
        """Import and return the class.

        Raises:
            ImportError: the module or the class is missing; the text names the declaration.
        """
        module, _, name = self.path.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ImportError(
                f"block {self.name!r} declares the class {self.path!r}, which cannot be imported: "
                f"{error}; install the distribution again or remove it"
            ) from error

    def defaults(self) -> dict[str, Value]:
        """Return the default of every setting, in the order of declaration."""
        return {name: setting.default for name, setting in self.settings.items()}

    def alive(self, settings: Settings) -> dict[str, Value]:
        """Return the settings whose conditions hold."""
        return {name: settings[name] for name in self.settings if self._is_alive(name, settings)}

    def problems(self, settings: Settings) -> Iterator[str]:
        """Yield what is wrong with *settings*, a sentence each; nothing if they are legal."""
        for name in settings:
            if name not in self.settings:
                known = ", ".join(self.settings) or "none"
                yield f"{self.name!r} has no setting {name!r}; it has: {known}"
        for name, setting in self.settings.items():
            if name not in settings:
                yield f"{self.name!r} lacks the setting {name!r}"
            elif problem := setting.range.problem(settings[name]):
                yield f"{self.name}.{name} {problem}"

    def _is_alive(self, name: str, settings: Settings) -> bool:
        when = self.settings[name].when
        if when is None:
            return True
        return settings[when.setting] in when.among and self._is_alive(when.setting, settings)
