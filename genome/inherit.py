"""Weights taken over: a freshly built child gets what its parent learned, as its plan says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from ..blocks.beginnings import Names, silence, transparency
from .graph import Part, Visit
from .inheritance import Inheritance
from .merge import Concat, Gate
from .model import Model
from .visiting import PoolEntry, VisitModule

Weights = Mapping[str, Tensor]
"""Parameters and buffers of a model by name, as its ``state_dict`` has them."""


@torch.no_grad()
def inherit(model: Model, weights: Weights, plan: Inheritance) -> float:
    """Give *model*, freshly built, the weights of its parent; return the share that it took.

    A tensor is copied where it has the same name in the same part of the parent (pool entries by
    lineage, visits by their entries) and the same shape; any other keeps its fresh values. What is
    new starts silent or transparent where the plan says so. Where no tensor fits all stays fresh.

    Args:
        model: of ``plan.child``.
        weights: of the model of ``plan.parent``.
        plan: what of the child is what of the parent.

    Returns:
        The share of the parameters that have the parent's values, from 0 to 1.
    """
    taken = _copied(model, weights, plan)
    if not taken:
        return 0.0
    merged = _merged(model, weights, plan)
    _begin(model, plan, taken)
    parameters = dict(model.named_parameters())
    copied = sum(parameters[name].numel() for name in taken if name in parameters)
    return (copied + merged) / sum(parameter.numel() for parameter in parameters.values())


def _copied(model: Model, weights: Weights, plan: Inheritance) -> list[str]:
    """Copy what has the same name and shape; return the names in the child."""
    state = cast("dict[str, Tensor]", model.state_dict())
    found = list[str]()
    for own, theirs in _places(plan):
        for name in (name for name in state if name.startswith(own)):
            source = weights.get(theirs + name.removeprefix(own))
            if source is not None and source.shape == state[name].shape:
                state[name].copy_(source)
                found.append(name)
    if model.head is not None and plan.parent.stack.tied and "embedding.table" in weights:
        table = weights["embedding.table"]
        if table.shape == model.head.weight.shape:  # pyright: ignore[reportAttributeAccessIssue]
            state["head.weight"].copy_(table)
            found.append("head.weight")
    return found


def _places(plan: Inheritance) -> Iterator[tuple[str, str]]:
    """Yield where parts of the child and of the parent stand that may share weights."""
    child, parent = plan.child, plan.parent
    yield from (("embedding.", "embedding."), ("head.", "head."))
    if child.stack.norm.name == parent.stack.norm.name:
        yield "norm.", "norm."
    for number, partner in plan.alignment.entries.items():
        own, theirs = child.pool[number], parent.pool[partner]
        for place, one, other in (
            ("block", own.block, theirs.block),
            ("prelude", own.prelude, theirs.prelude),
        ):
            if _of_one_name(one, other):
                yield f"pool.{number}.{place}.", f"pool.{partner}.{place}."
    for number, partner in plan.alignment.visits.items():
        own, theirs = f"visits.{number}.", f"visits.{partner}."
        yield f"{own}feedback", f"{theirs}feedback"
        for place, one, other in (
            ("norms", child.stack.norm, parent.stack.norm),
            ("residual", child.stack.residual, parent.stack.residual),
            ("router", child.route[number].router, parent.route[partner].router),
        ):
            if _of_one_name(one, other):
                yield f"{own}{place}.", f"{theirs}{place}."
        if _of_one_name(child.stack.exit, parent.stack.exit):
            yield f"exits.{number}.", f"exits.{partner}."


def _of_one_name(one: Part | None, other: Part | None) -> bool:
    return one is not None and other is not None and one.name == other.name


def _merged(model: Model, weights: Weights, plan: Inheritance) -> int:
    """Let merges go on as the parent's did; what is read newly has the weight zero if it can.

    Returns how many parameters have learned values.
    """
    if plan.child.stack.width != plan.parent.stack.width:
        return 0
    learned = 0
    for number, partner in plan.alignment.visits.items():
        merge = cast(VisitModule, model.visits[number]).merge
        taken, other = plan.taken(number), plan.parent.route[partner]
        path, several = f"visits.{partner}.merge.", len(other.reads) > 1
        if isinstance(merge, Concat) and taken:
            _project(merge, weights, path, taken, other)
            columns = merge.projection.weight.numel() // len(plan.child.route[number].reads)
            learned += len(taken) * columns if several and other.merge == "concat" else 0
        elif isinstance(merge, Gate) and several and other.merge == "gate":
            for place, source in taken.items():
                merge.logits[place] = weights[f"{path}logits"][source]
            learned += len(taken)
    return learned


def _project(
    merge: Concat, weights: Weights, path: str, taken: Mapping[int, int], other: Visit
) -> None:
    """Write the merge of the parent as a projection, with zeros for reads that it had not."""
    weight = merge.projection.weight  # (W, k W)
    width = len(weight)
    columns = weight.view(width, -1, width)  # of each read
    learned = weights.get(f"{path}projection.weight")
    columns.zero_()
    for place, source in taken.items():
        if learned is not None:
            columns[:, place] = learned.view(width, -1, width)[:, source]
        else:
            columns[:, place].diagonal().fill_(_share(weights, path, source, other))


def _share(weights: Weights, path: str, source: int, other: Visit) -> float:
    """Return with what weight the parent's visit had one of its reads."""
    reads = len(other.reads)
    if reads == 1 or other.merge == "sum":
        return 1.0
    return 1 / reads if other.merge == "mean" else _mixture(weights, path)[source]


def _mixture(weights: Weights, path: str) -> list[float]:
    logits = weights[f"{path}logits"].double()
    return cast("list[float]", logits.softmax(0).tolist())


def _begin(model: Model, plan: Inheritance, taken: list[str]) -> None:
    """Make silent and transparent what is to start so."""
    more = _transparency(plan.child.stack.embedding)
    clear(model.embedding, (name for name in more if f"embedding.{name}" not in taken))
    for number in plan.transparent:
        prelude = plan.child.pool[number].prelude
        entry = cast(PoolEntry, model.pool[number])
        if prelude is not None and entry.prelude is not None:
            clear(entry.prelude, _transparency(prelude))
    for number in plan.silent:
        clear(*_silencer(model, number, plan))


def _transparency(part: Part) -> Names:
    return transparency(part.name, part.settings) or ()


def _silencer(model: Model, number: int, plan: Inheritance) -> tuple[nn.Module, Names]:
    """Return the part that makes a visit silent, and what of it is zero then."""
    stack, visit = plan.child.stack, cast(VisitModule, model.visits[number])
    if names := _silence(stack.residual):
        return visit.residual, names
    if "branch" in visit.norms:
        return visit.norms["branch"], _silence(stack.norm)
    block = plan.child.route[number].block
    entry = cast(PoolEntry, model.pool[block])
    return entry.block, _silence(plan.child.pool[block].block)


def _silence(part: Part) -> Names:
    return silence(part.name, part.settings) or ()


@torch.no_grad()
def clear(module: nn.Module, names: Iterable[str]) -> None:
    """Set parameters of *module* to zero; of ``name[1:]`` the rows from 1 on.

    Raises:
        AttributeError: the module has no such parameter.
    """
    for name in names:
        path, _, rows = name.rstrip("]").partition("[")
        parameter = module.get_parameter(path)
        (parameter[int(rows.rstrip(":")) :] if rows else parameter).zero_()
