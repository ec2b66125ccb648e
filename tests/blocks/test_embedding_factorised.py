"""The factorised embedding against its factors, its head, and the contract."""

import pytest
import torch
import torch.nn.functional as F

from praxis_evolve.blocks.contract import violations
from praxis_evolve.blocks.embedding.catalog import DECLARATIONS
from praxis_evolve.blocks.embedding.factorised import FactorisedEmbedding
from praxis_evolve.blocks.frame import Frame, dense_frame

FACTORISED = {each.name: each for each in DECLARATIONS}["factorised"]
RATIOS = pytest.mark.parametrize("ratio", [0.125, 0.25, 0.5])


def build(ratio: float, width: int = 32, vocabulary: int = 10) -> FactorisedEmbedding:
    torch.manual_seed(0)
    return FactorisedEmbedding(width, vocabulary=vocabulary, context=8, ratio=ratio).double()


@RATIOS
def test_each_token_gets_its_projected_code(ratio: float) -> None:
    embedding, size = build(ratio), int(ratio * 32)
    tokens = torch.randint(10, (2, 20))
    x, carry = embedding(tokens, None, dense_frame(2, 20, context=32, segment=4))
    for row in range(2):
        for t in range(20):
            code = embedding.codes[tokens[row, t]]
            want = size**0.5 * embedding.project.weight @ code
            torch.testing.assert_close(x[row, t], want)
    assert carry is None
    shapes = [tuple(p.shape) for p in embedding.parameters()]
    assert shapes == [(10, size), (32, size)]


@RATIOS
def test_the_table_is_what_a_plain_embedding_of_equal_vectors_would_hold(ratio: float) -> None:
    """A row times sqrt(W) is the vector of its token, as in ``TokenEmbedding``."""
    embedding = build(ratio)
    tokens = torch.arange(10).unsqueeze(0)
    x, _ = embedding(tokens, None, dense_frame(1, 10, context=16, segment=4))
    table = embedding.table
    assert table.shape == (10, 32)
    torch.testing.assert_close(table * 32**0.5, x[0])
    assert torch.linalg.matrix_rank(table) == min(10, int(ratio * 32))  # pyright: ignore


@RATIOS
def test_a_tied_head_is_the_table_and_teaches_both_factors_as_it_would(ratio: float) -> None:
    embedding, h = build(ratio), torch.randn(3, 4, 32, dtype=torch.float64)
    weights = torch.randn(3, 4, 10, dtype=torch.float64)
    table = ratio**0.5 * embedding.codes @ embedding.project.weight.T
    ours, theirs = embedding.logits(h), F.linear(h, table)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(embedding.table, table)
    factors = list(embedding.parameters())
    pair = (torch.autograd.grad((y * weights).sum(), factors) for y in (ours, theirs))
    for one, other in zip(*pair, strict=True):
        torch.testing.assert_close(one, other)
        assert one.abs().max() > 0


def test_tokens_at_holes_are_not_read() -> None:
    embedding, at = build(0.25), torch.tensor([[0, -1, 3]])
    x, _ = embedding(torch.tensor([[5, 999, 6]]), None, Frame(at, at, 8))
    y, _ = embedding(torch.tensor([[5, 6]]), None, dense_frame(1, 2, context=8, segment=4))
    torch.testing.assert_close(x[:, [0, 2]], y)


@RATIOS
@pytest.mark.parametrize("width", [32, 256])
def test_stream_and_tied_logits_begin_with_a_spread_of_one(ratio: float, width: int) -> None:
    embedding = build(ratio, width, 256)
    tokens = torch.randint(256, (4, 500))
    x, _ = embedding(tokens, None, dense_frame(4, 500, context=512, segment=64))
    h = torch.randn(500, width, dtype=torch.float64)
    logits = F.linear(F.rms_norm(h, (width,)), embedding.table)
    bound = max(0.05, 0.5 / (ratio * width) ** 0.5)  # few numbers keep lengths on average
    assert x.square().mean().sqrt().item() == pytest.approx(1.0, rel=bound)
    assert logits.std().item() == pytest.approx(1.0, rel=bound)


@RATIOS
def test_it_keeps_the_contract(ratio: float) -> None:
    for width, seed in ((32, 0), (64, 1)):
        assert violations(FACTORISED, {"ratio": ratio}, width=width, seed=seed) == []
