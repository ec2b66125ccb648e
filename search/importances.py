"""How much each gene tells the best genomes from the others, by Optuna's PED-ANOVA.

Watanabe et al. 2023 (arXiv:2304.10255): the importance of a gene is how far its distribution among
the best is from that among all. With some dozen genomes much of that is luck and the smoothing of
few values, so beside each stands how often it is as large when the standings are shuffled.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from optuna.importance import PedAnovaImportanceEvaluator
from optuna.study import Study
from optuna.trial import FrozenTrial, create_trial

from .flat import Genes
from .optuna_study import distribution, empty_study

BEST = 0.1
"""The share of the genomes that counts as the best ..."""

FEWEST = 5
"""... and the fewest of them that PED-ANOVA should have."""

ENOUGH = round(FEWEST / BEST)
"""With fewer genomes than this the best are a larger share, and the figures rough."""

SHUFFLES = 99


@dataclass(frozen=True)
class Importance:
    """A gene that ``genomes`` have: its part of all importance, and the chance of it.

    ``chance`` is the share of shuffles of the standings, itself included, in which the gene comes
    out as important as this or more: near 0 where it tells something.
    """

    gene: str
    genomes: int
    importance: float
    chance: float


def best_of(genomes: int) -> int:
    """Return how many of so many genomes count as the best."""
    return min(genomes // 2, max(FEWEST, round(BEST * genomes)))


def importances(
    genes: Mapping[str, Genes], standings: Mapping[str, float], *, seed: int
) -> list[Importance]:
    """Return the importances of genes, those that chance explains least first.

    Args:
        genes: by genome; one that only some have counts among those.
        standings: from 0 to 1 by genome, the best 1; those without one are passed over.
        seed: of the shuffles.

    Raises:
        ValueError: fewer than four genomes have a standing.
    """
    names = [name for name in genes if name in standings]
    if len(names) < 4:
        raise ValueError(
            f"importances need at least 4 genomes with results; there are {len(names)}"
        )
    study = _study([genes[name] for name in names])
    losses = [-standings[name] for name in names]
    found = _evaluated(study, losses)
    rng, at_least = Random(seed), dict.fromkeys(found, 1)
    for _ in range(SHUFFLES):
        shuffled = _evaluated(study, rng.sample(losses, len(losses)))
        for gene, value in found.items():
            at_least[gene] += shuffled[gene] >= value
    total = sum(found.values()) or 1.0
    having = {gene: sum(gene in genes[name] for name in names) for gene in found}
    ranked = sorted(found, key=lambda gene: (at_least[gene], -found[gene], gene))
    return [
        Importance(gene, having[gene], found[gene] / total, at_least[gene] / (SHUFFLES + 1))
        for gene in ranked
    ]


def _study(several: list[Genes]) -> Study:
    study = empty_study()
    study.add_trials(
        [
            create_trial(
                value=0.0,
                params={name: gene.value for name, gene in genes.items()},
                distributions={name: distribution(gene.range) for name, gene in genes.items()},
            )
            for genes in several
        ]
    )
    return study


def _evaluated(study: Study, losses: list[float]) -> dict[str, float]:
    def loss(trial: FrozenTrial) -> float:
        return losses[trial.number]

    evaluator = PedAnovaImportanceEvaluator(target_quantile=best_of(len(losses)) / len(losses))
    with warnings.catch_warnings():  # of genes that few have, and that less is better
        warnings.simplefilter("ignore", UserWarning)
        return evaluator.evaluate(study, target=loss)
