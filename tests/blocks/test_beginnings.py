"""Parts that begin as if they were not there: zeros do exactly that, and can be learned."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from praxis_evolve.blocks.beginnings import Names, silence, transparency
from praxis_evolve.blocks.declaration import Declaration, Settings
from praxis_evolve.blocks.probe import redraw
from praxis_evolve.blocks.registry import installed
from praxis_evolve.blocks.subject import Subject, subject_of, whole_frame
from praxis_evolve.genome.inherit import clear

ROWS, TOKENS, WIDTH = 2, 21, 32
DECLARED = tuple(installed())
NOT_SILENT = {"token_shift", "sru", "mega", "post", "mhc"}


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def drawn(declaration: Declaration) -> Iterator[Settings]:
    """The defaults and some other settings."""
    rng = Random(declaration.name)
    yield declaration.defaults()
    for _ in range(4):
        yield {name: s.range.sample(rng) for name, s in declaration.settings.items()}


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def assert_learned(y: Tensor, module: nn.Module, names: Names) -> None:
    """A gradient reaches every parameter that begins at zero."""
    if names:
        (y * random(*y.shape)).sum().backward()
    for name in names:
        parameter = module.get_parameter(name.partition("[")[0])
        gradient = parameter.grad
        assert gradient is not None, name
        assert bool(gradient[parameter == 0].any()), name


def output(subject: Subject, x: Tensor) -> Tensor:
    return subject.run(x, None, whole_frame(ROWS, TOKENS))[0]


@pytest.mark.parametrize("declaration", DECLARED, ids=lambda d: d.name)
def test_what_is_silent_adds_exactly_nothing_and_learns(declaration: Declaration) -> None:
    if declaration.kind not in ("block", "norm"):
        return
    for settings in drawn(declaration):
        names = silence(declaration.name, settings)
        assert (names is None) == (declaration.name in NOT_SILENT)
        if names is None:
            continue
        subject = subject_of(declaration, settings, WIDTH)
        redraw(subject.module.double(), torch.Generator().manual_seed(1))
        clear(subject.module, names)
        y = output(subject, subject.draw(ROWS, TOKENS).double())
        assert not y.any(), settings
        assert_learned(y, subject.module, names)


@pytest.mark.parametrize("declaration", DECLARED, ids=lambda d: d.name)
def test_a_silent_residual_returns_its_base(declaration: Declaration) -> None:
    if declaration.kind != "residual":
        return
    for settings in drawn(declaration):
        names = silence(declaration.name, settings)
        assert (names is None) == (declaration.name in NOT_SILENT)
        if names is None:
            continue
        module = subject_of(declaration, settings, WIDTH).module.double()
        clear(module, names)
        streams = cast(int, module.streams)
        shape = (ROWS, TOKENS, WIDTH) if streams == 1 else (ROWS, TOKENS, streams, WIDTH)
        base, y = random(*shape), random(ROWS, TOKENS, WIDTH) * bool(names)
        new = cast(Any, module).write(base, random(*shape), y)
        assert torch.equal(new, base), settings
        assert_learned(new, module, names)


@pytest.mark.parametrize("declaration", DECLARED, ids=lambda d: d.name)
def test_what_is_transparent_changes_nothing_and_learns(declaration: Declaration) -> None:
    for settings in drawn(declaration):
        names = transparency(declaration.name, settings)
        if names is None:
            continue
        subject = subject_of(declaration, settings, WIDTH)
        module = subject.module.double()
        clear(module, names)
        x = subject.draw(ROWS, TOKENS)
        if declaration.kind == "embedding":
            y, wanted = output(subject, x), cast(Tensor, module.table)[x] * WIDTH**0.5
        else:
            assert declaration.prelude
            y, wanted = output(subject, x.double()), x.double()
        assert torch.equal(y, wanted), settings
        assert_learned(y, module, names)


def test_every_prelude_can_be_transparent() -> None:
    preludes = [d for d in DECLARED if d.prelude]
    assert all(transparency(d.name, d.defaults()) for d in preludes)
    silu = {**installed()["short_conv"].defaults(), "activation": "silu"}
    assert transparency("short_conv", silu) is None


def test_what_is_not_known_can_be_neither() -> None:
    assert silence("theirs", {}) is None
    assert transparency("theirs", {}) is None
