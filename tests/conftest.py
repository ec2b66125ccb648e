import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# Nothing here fails for being slow, and a run draws the examples of the run before it. To look for
# new ones: pytest --hypothesis-profile=explore
settings.register_profile("explore", deadline=None)
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of the form of NAS-Bench-201, of numbers drawn here."""
    bench = tmp_path_factory.mktemp("bench")
    rng, rows = np.random.default_rng(0), 5**6
    words = np.array(np.unravel_index(rng.permutation(rows), (5,) * 6)).T
    worth = words.sum(axis=1, keepdims=True) + rng.normal(size=(rows, 1))
    trainings = 50 + worth + rng.normal(size=(rows, 3))
    trainings[rng.random(rows) < 0.5, 2] = np.nan
    (bench / "data").mkdir()
    np.savez(
        bench / "data" / "nb201.npz",
        ops=words,
        iso=np.unique(np.maximum(words, 1) @ 5 ** np.arange(6), return_inverse=True)[1],
        c10_val200=trainings,
        c10_val12=40 + worth[:, 0] + rng.normal(size=rows),
        c10_test200=45 + worth[:, 0] + rng.normal(size=rows),
        c10_sec=1 + rng.random(rows),
        params_formula=1 + rng.random(rows),
        flops=1 + rng.random(rows),
    )
    return bench


@pytest.fixture(scope="session")
def bench() -> Path:
    """The folder of the real tables."""
    path = os.environ.get("PRAXIS_BENCH")
    if path is None:
        pytest.skip("PRAXIS_BENCH does not say where the tables are")
    return Path(path)
