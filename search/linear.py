"""Linear algebra with types: scipy has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy import linalg, special

Floats = npt.NDArray[np.float64]

_linalg, _special = cast(Any, linalg), cast(Any, special)


def root(covariance: Floats) -> Floats:
    """Return the lower Cholesky factor L of a matrix L L^T."""
    return _linalg.cholesky(covariance, lower=True)


def solved(lower: Floats, b: Floats) -> Floats:
    """Return the x of L L^T x = b."""
    return _linalg.cho_solve((lower, True), b)


def inverse(lower: Floats) -> Floats:
    """Return the inverse of L L^T."""
    found, failed = _linalg.lapack.dpotri(lower, lower=1)
    assert not failed, "a Cholesky factor has no zero on its diagonal"
    found += np.tril(found, -1).T  # above the diagonal there is nothing, as in L
    return found


def whitened(lower: Floats, b: Floats) -> Floats:
    """Return the x of L x = b."""
    return _linalg.solve_triangular(lower, b, lower=True)


def decomposed(matrix: Floats) -> tuple[Floats, Floats]:
    """Return the eigenvalues of a symmetric matrix, rising, and its eigenvectors as columns."""
    return _linalg.eigh(matrix)


def normal_scores(chances: Sequence[float]) -> Floats:
    """Return where a normal distribution has these chances below it."""
    return _special.ndtri(np.asarray(chances, dtype=float))
