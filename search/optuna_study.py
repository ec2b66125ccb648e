"""An Optuna study of what a search tried: one frozen trial a genome, its genes flat.

A trial is complete where the genome was trained to the top rung, for only there its value compares
with that of all others; pruned where it was not promoted so far; failed where it has no result.
What it reached at each rung are its intermediate values, in training tokens.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning, OptunaError
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from ..blocks.ranges import Choice, Integer, Range, Real
from ..genome.cost import Costs
from .flat import Genes
from .objectives import QUALITY, Objective, Shown


@dataclass(frozen=True)
class Tried:
    """A genome that was tried: its genes, costs, bits per byte by rung, and measures by name.

    ``failure`` is why it has no result, or none at the rung that it was promoted to. ``attributes``
    go with the trial as they are.
    """

    genes: Genes
    costs: Costs
    scores: Mapping[int, float]
    failure: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict[str, object])
    measured: Mapping[str, float] = field(default_factory=dict[str, float])


class StudyError(Exception):
    """A database cannot be used for studies, or has the study already or not at all."""


def write_study(
    tried: Iterable[Tried],
    objectives: Sequence[Objective],
    *,
    top: int,
    storage: str,
    name: str,
    attributes: Mapping[str, object],
    on_written: Callable[[int], None] = lambda number: None,
) -> Counter[str]:
    """Write a new study into the database at the URL *storage*; return how many trials by state.

    It is written whole or not at all, unless the process is killed. ``on_written`` is told how many
    trials there are.

    Raises:
        StudyError: the database has a study of that name, or cannot be used.
    """
    with readable(name):
        study = empty_study(objectives, storage=storage, name=name)
        try:
            for key, value in attributes.items():
                study.set_user_attr(key, value)
            states = Counter[str]()
            for each in tried:
                written = trial(each, objectives, top=top)
                study.add_trial(written)
                states[written.state.name.lower()] += 1
                on_written(states.total())
        except BaseException:  # half a study would mislead
            optuna.delete_study(study_name=name, storage=storage)
            raise
    return states


def empty_study(
    objectives: Sequence[Objective] = (QUALITY,),
    *,
    storage: str | None = None,
    name: str | None = None,
) -> Study:
    """Return a new study of *objectives*, in memory unless a database is given."""
    with quiet():
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=[
                StudyDirection.MAXIMIZE if objective.maximised else StudyDirection.MINIMIZE
                for objective in objectives
            ],
        )
        study.set_metric_names([objective.name for objective in objectives])
    return study


def trial(tried: Tried, objectives: Sequence[Objective], *, top: int) -> FrozenTrial:
    """Return the trial of a genome; *top* is the rung where values compare."""
    values = _values(tried, objectives, top)
    state = _state(tried, values)
    return create_trial(
        state=state,
        values=values,
        params={name: gene.value for name, gene in tried.genes.items()},
        distributions={name: distribution(gene.range) for name, gene in tried.genes.items()},
        intermediate_values=dict(sorted(tried.scores.items())),
        user_attrs=dict(tried.attributes),
    )


def distribution(range_: Range) -> BaseDistribution:
    """Return a range as Optuna has it; reals are on a grid there that it does not know.

    Raises:
        TypeError: it is a range of another kind.
    """
    match range_:
        case Real(low, high, log):
            return FloatDistribution(low, high, log=log)
        case Integer(low, high, log):
            return IntDistribution(low, high, log=log)
        case Choice(options):
            return CategoricalDistribution(options)
        case _:
            raise TypeError(f"Optuna has no distribution for the range {range_!r}")


@contextmanager
def quiet() -> Generator[None]:
    """Keep Optuna from announcing every study, and that names of metrics are experimental."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


@contextmanager
def readable(name: str) -> Generator[None]:
    """Say in our words what Optuna and the database refuse."""
    try:
        yield
    except DuplicatedStudyError:
        raise StudyError(
            f"the database has a study {name!r} already; remove it by optuna delete-study, "
            "or name another database"
        ) from None
    except (OptunaError, SQLAlchemyError, ImportError, ValueError) as error:
        raise StudyError(f"the database cannot be used for studies: {error}") from error


def _values(tried: Tried, objectives: Sequence[Objective], top: int) -> list[float] | None:
    """Return the values at the rung where they compare, None where they are not all known."""
    if tried.failure or top not in tried.scores:
        return None
    shown = Shown(tried.scores[top], tried.costs, tried.measured)
    values = [objective.value(shown) for objective in objectives]
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


def _state(tried: Tried, values: list[float] | None) -> TrialState:
    if tried.failure or not tried.scores:
        return TrialState.FAIL
    return TrialState.PRUNED if values is None else TrialState.COMPLETE
