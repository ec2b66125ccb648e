"""The table of GPT-2-like models, against the loader beside the data."""

import importlib.util
from pathlib import Path
from random import Random
from typing import Any

import pytest

from praxis_evolve.benchmarks.tables.hwgpt import hwgpt


@pytest.fixture(scope="module")
def loader(bench: Path) -> Any:
    spec = importlib.util.spec_from_file_location("bench_hwgpt", bench / "hwgpt.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("scale", ["s", "m", "l"])
def test_perplexity_and_parameters_are_those_of_the_loader(bench: Path, loader: Any, scale: str):
    theirs, ours = loader.HWGPT(scale), hwgpt(bench, scale)
    deepest = (len(ours.words.places) - 3) // 2
    for seed in range(30):
        word = ours.words.read(ours.words.sample(Random(seed), "b"))
        said: list[Any] = [
            place.options[letter] for place, letter in zip(ours.words.places, word, strict=True)
        ]
        (width, depth, bias), layers = said[:3], said[3:]
        found = theirs.query(
            {
                "embed": width,
                "layers": depth,
                "bias": bias,
                "mlp": layers[:depth],
                "heads": layers[deepest : deepest + depth],
            }
        )
        assert ours.words.price(word).parameters == found["params"]
        assert ours.truth(word)["perplexity"] == pytest.approx(found["ppl"])
        assert ours.look(word, 1, seed).value == pytest.approx(found["ppl"])


def test_a_layer_that_is_not_there_makes_no_difference(bench: Path):
    table = hwgpt(bench, "s")
    shallow = (0, 0, 0, *([0] * 24))
    other = (*shallow[:13], 1, 2, *shallow[15:25], 2, 1)  # layers 10 and 11
    first, second = (table.words.spell(word, "") for word in (shallow, other))
    assert first != second
    assert table.words.identify(first) == table.words.identify(second)
    assert table.truth(shallow) == table.truth(other)
    assert table.words.costs(first) == table.words.costs(second)
