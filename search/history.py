"""History: the genomes of somebody else's Optuna study, as what to try first.

Its numbers are a stranger's claims. They say in which order to look, and are then forgotten: what
is tried is evaluated here, like any genome.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import make_url

from ..blocks.ranges import Real, on_grid
from ..genome.genes import TRAINING
from ..genome.graph import Genome
from ..genome.identity import genome_id
from ..genome.space import Space
from ..genome.text import GenomeError, from_json
from .flat import TRAINING_PREFIX
from .objectives import QUALITY
from .optuna_study import StudyError, readable
from .tuning import Trainings

GENOME = "genome_json"
"""The user attribute of a trial that holds the text of its genome."""


@dataclass(frozen=True)
class Claim:
    """What a trial says that it tried: a genome's text, or else its params."""

    genome: object
    params: Mapping[str, object]


@dataclass(frozen=True)
class History:
    """Genomes that are legal here, by id, the best claims first; and why others were left out."""

    genomes: Mapping[str, Genome]
    left_out: Mapping[str, int]


def claims(storage: str, name: str | None = None) -> list[Claim]:
    """Return what the trials of a study claim, the best first.

    Complete trials come by their bits per byte, or else their first value; then pruned ones, those
    that came further first. Others claim nothing. Without a *name* the database has one study.

    Raises:
        StudyError: the database cannot be read, or has no such study.
    """
    with readable(name or storage):
        _require_file(storage)
        study = optuna.load_study(study_name=_named(storage, name), storage=storage)
        ranked = sorted(
            (_place(study, trial), trial.number, trial)
            for trial in study.get_trials(deepcopy=False)
            if trial.state == TrialState.COMPLETE
            or (trial.state == TrialState.PRUNED and trial.intermediate_values)
        )
    return [Claim(trial.user_attrs.get(GENOME), trial.params) for _, _, trial in ranked]


def history(told: Iterable[Claim], space: Space, usual: Genome) -> History:
    """Return the genomes of claims that are legal in *space*, each once.

    A trial without a genome's text is *usual* with its training genes, if it names any.
    """
    genomes, left_out = dict[str, Genome](), Counter[str]()
    for claim in told:
        try:
            genome = _genome(claim, space, usual)
        except ValueError as error:
            left_out[str(error)] += 1
            continue
        genomes.setdefault(genome_id(genome, space.catalog), genome)
    return History(genomes, left_out)


def _genome(claim: Claim, space: Space, usual: Genome) -> Genome:
    """Return the genome that a trial means.

    Raises:
        ValueError: it means none that is legal here; the text is one of a few kinds.
    """
    if claim.genome is None:
        return _trained(claim.params, space, usual)
    try:
        genome = from_json(str(claim.genome), space.catalog)
    except GenomeError:
        raise ValueError("their genome cannot be read, or has blocks that are not here") from None
    if space.problems(genome):
        raise ValueError("their genome is outside the space or its limits")
    return genome


def _trained(params: Mapping[str, object], space: Space, usual: Genome) -> Genome:
    coding = Trainings(space, usual)
    genes = coding.encode(usual)
    named = {name.removeprefix(TRAINING_PREFIX): value for name, value in params.items()}
    known = {name: value for name, value in named.items() if name in TRAINING}
    if not known:
        raise ValueError("they name neither a genome nor a training gene")
    for name, value in known.items():
        range_ = TRAINING[name]
        if isinstance(value, int | float) and isinstance(range_, Real):
            value = on_grid(float(value))
        if not isinstance(value, int | float) or range_.problem(value):
            raise ValueError("a training gene is outside its range")
        genes[name] = value
    return coding.decode({name: genes[name] for name in coding.choices}, "")


def _place(study: Study, trial: FrozenTrial) -> tuple[int, float, float]:
    """Return what trials are ordered by: complete ones first, then who came further."""
    names = study.metric_names or []
    number = names.index(QUALITY.name) if QUALITY.name in names else 0
    sign = 1 if study.directions[number] == StudyDirection.MINIMIZE else -1
    if trial.state == TrialState.COMPLETE:
        return 0, 0, sign * trial.values[number]
    step = max(trial.intermediate_values)
    return 1, -step, sign * trial.intermediate_values[step]


def _named(storage: str, name: str | None) -> str:
    known = sorted(optuna.get_all_study_names(storage))
    if name is None and len(known) == 1:
        return known[0]
    if name is None or name not in known:
        nearest = difflib.get_close_matches(name or "", known, n=3) or known[:3]
        raise StudyError(
            f"the database has no study {name!r}; the nearest are {nearest}"
            if name
            else f"the database has {len(known)} studies, such as {known[:3]}; name one"
        )
    return name


def _require_file(storage: str) -> None:
    """Refuse a SQLite file that is not there: Optuna would make it."""
    url = make_url(storage)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise StudyError(f"there is no file {url.database!r}")
