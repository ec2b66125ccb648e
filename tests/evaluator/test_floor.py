import math
import os
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from praxis_evolve.evaluator import floor as module
from praxis_evolve.evaluator.floor import START, fit, floor
from praxis_evolve.evaluator.task import text_task

Gram = tuple[int, ...]


class ByHand:
    """Interpolated modified Kneser-Ney from dictionaries, as Chen and Goodman write it."""

    def __init__(self, rows: list[bytes], order: int) -> None:
        raw = Counter[Gram]()
        for row in rows:
            padded = (START,) * (order - 1) + tuple(row)
            raw.update(padded[i : i + order] for i in range(len(row)))
        self.tables: dict[int, Counter[Gram]] = {order: raw}
        for n in range(order - 1, 0, -1):
            self.tables[n] = Counter(gram[1:] for gram in self.tables[n + 1])
        self.followers: dict[int, dict[Gram, list[Gram]]] = {}
        for n, table in self.tables.items():
            self.followers[n] = defaultdict(list)
            for gram in table:
                self.followers[n][gram[:-1]].append(gram)

    def discount(self, n: int, count: int) -> float:
        times = Counter(self.tables[n].values())
        if not all(times[i] for i in (1, 2, 3, 4)):
            return 0.5 if count else 0.0
        share = times[1] / (times[1] + 2 * times[2])
        kind = min(count, 3)
        raw = kind - (kind + 1) * share * times[kind + 1] / times[kind] if kind else 0.0
        return min(raw, float(kind)) if raw > 0 or not kind else 0.5

    def probability(self, history: Gram, symbol: int) -> float:
        n = len(history) + 1
        lower = 1 / 256 if n == 1 else self.probability(history[1:], symbol)
        known = self.followers[n].get(history, [])
        total = sum(self.tables[n][gram] for gram in known)
        if not total:
            return lower
        count = self.tables[n][(*history, symbol)]
        left = sum(self.discount(n, self.tables[n][gram]) for gram in known)
        return (count - self.discount(n, count) + left * lower) / total


TEXTS = st.lists(st.text("abc", min_size=1, max_size=40).map(str.encode), min_size=1, max_size=4)


@settings(max_examples=25)
@given(TEXTS, st.integers(1, 4), st.text("abcd", min_size=2, max_size=8).map(str.encode))
def test_bits_equal_a_model_made_of_dictionaries(
    texts: list[bytes], order: int, window: bytes
) -> None:
    length = min(map(len, texts))
    rows = [text[:length] for text in texts]
    by_hand = ByHand(rows, order)
    expected = [
        -math.log2(by_hand.probability(tuple(window[max(0, i - order + 1) : i]), window[i]))
        for i in range(1, len(window))
    ]
    counted = np.stack([np.frombuffer(row, np.uint8) for row in rows])
    found = floor(counted, np.frombuffer(window, np.uint8)[None], order=order)
    assert found == pytest.approx(sum(expected) / len(expected), abs=1e-9)


@given(TEXTS, st.text("abcd", max_size=5).map(str.encode))
@settings(max_examples=25)
def test_the_chances_of_all_bytes_sum_to_one(texts: list[bytes], history: bytes) -> None:
    model = fit(np.frombuffer(b"".join(texts), np.uint8)[None])
    padded = [START] * (5 - len(history)) + list(history)
    chances = model.probability(np.tile(padded, (256, 1)), np.arange(256))
    assert chances.min() > 0
    assert chances.sum() == pytest.approx(1.0, abs=1e-9)


def test_what_never_followed_a_history_has_a_chance_where_a_discount_would_be_nothing() -> None:
    """Many pairs occur three times and one twice: what is taken of two would be below zero."""
    begins, pairs = iter(range(256)), list[tuple[int, int]]()
    for times, count in ((1, 4), (2, 1), (3, 9), (4, 1)):
        pairs += [(next(begins), 255) for _ in range(count)] * times
    model = fit(np.array(pairs, np.uint8), order=2)
    histories = np.array(sorted({begin for begin, _ in pairs}))[:, None]
    assert model.probability(histories, np.full(len(histories), 254)).min() > 0


def test_counting_in_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    text = np.random.default_rng(0).integers(97, 101, (3, 500), np.uint8)
    whole = fit(text).bits_per_byte(text)
    for chunk in (7, 600):
        monkeypatch.setattr(module, "CHUNK", chunk)
        assert fit(text).bits_per_byte(text) == pytest.approx(whole, abs=1e-12)


def test_nothing_to_count_and_a_wrong_order_are_told() -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        fit(np.zeros((0, 5), np.uint8))
    with pytest.raises(ValueError, match="from 1 to 6, but is 7"):
        fit(np.zeros((1, 5), np.uint8), order=7)


def test_it_reaches_what_is_known_of_shakespeare() -> None:
    path = Path(os.environ.get("PRAXIS_BENCH", "nowhere"), "text", "tinyshakespeare.txt")
    if not path.exists():
        pytest.skip("set PRAXIS_BENCH to the folder with text/tinyshakespeare.txt")
    text = text_task(path).text
    cut = len(text) * 9 // 10
    # One discount an order, counted elsewhere, reaches 2.248; three must be better, but not by far.
    assert 2.17 < floor(text[None, :cut], text[None, cut:]) < 2.248
