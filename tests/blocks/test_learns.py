"""Blocks that no starter trains learn what they are for: a task that nothing else here can solve.

An embedding, one block and a linear head; no residual, no position besides the block's own. In each
task the answers are even given what the embedding and the head see by themselves, so that without
the block no loss is below ln(answers) on average. A block that lost what it should remember, read
the wrong token, or got no gradient to its weights stays there.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from praxis_evolve.blocks.frame import dense_frame
from praxis_evolve.blocks.ranges import Value
from praxis_evolve.blocks.registry import installed

WIDTH, TOKENS, ROWS = 32, 24, 32
ANSWERS = 6
IGNORED = -100

BOUND = 0.5
"""Of the loss of even answers: what is to be passed, far from what chance or the start can do."""

STEPS = 240
"""Most steps that a block may take to it: twice what the slowest needed."""

Drawn = tuple[Tensor, Tensor]
"""What stands at each token, (B, T, F) with F features, and the answers, (B, T)."""


def echo(rows: int) -> Drawn:
    """The token 5 places back."""
    tokens = torch.randint(ANSWERS, (rows, TOKENS))
    answers = tokens.roll(5, 1)
    answers[:, :5] = IGNORED
    return tokens[..., None], answers


def neighbour(rows: int) -> Drawn:
    """The token before."""
    tokens = torch.randint(ANSWERS, (rows, TOKENS))
    answers = tokens.roll(1, 1)
    answers[:, :1] = IGNORED
    return tokens[..., None], answers


def recall(rows: int) -> Drawn:
    """A key beside its value, many times; then keys alone, whose values are the answers."""
    half = TOKENS // 2
    keys = torch.rand(rows, half).argsort(1)
    values = torch.randint(ANSWERS, (rows, half))
    asked = torch.rand(rows, half).argsort(1)
    unknown = torch.full_like(values, ANSWERS)
    answers = values.gather(1, keys.argsort(1)).gather(1, asked)
    tokens = torch.stack((torch.cat((keys, asked), 1), torch.cat((values, unknown), 1)), 2)
    return tokens, torch.cat((torch.full_like(answers, IGNORED), answers), 1)


def permuted(rows: int) -> Drawn:
    """Which of the 6 orders of three things results from all swaps so far; a token is a swap."""
    orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    after = [[orders.index([order[p] for p in swap]) for swap in orders] for order in orders]
    tokens = torch.randint(ANSWERS, (rows, TOKENS))
    answers = tokens.clone()
    for t in range(1, TOKENS):
        answers[:, t] = torch.tensor(after)[answers[:, t - 1], tokens[:, t]]
    answers[:, 0] = IGNORED
    return tokens[..., None], answers


def drift(rows: int) -> Drawn:
    """Whether ups or downs prevail before this token, recent ones counting more."""
    tokens = torch.randint(2, (rows, TOKENS))
    sums = torch.zeros(rows, TOKENS + 1)
    for t in range(TOKENS):
        sums[:, t + 1] = 0.8 * sums[:, t] + 2 * tokens[:, t] - 1
    answers = (sums[:, :-1] > 0).long()
    answers[:, 0] = IGNORED
    return tokens[..., None], answers


def addition(rows: int) -> Drawn:
    """The sum of two numbers modulo 6; what is linear in the two embeddings cannot tell it."""
    tokens = torch.randint(ANSWERS, (rows, TOKENS, 2))
    return tokens, tokens.sum(2) % ANSWERS


@dataclass(frozen=True)
class Case:
    """A block that learns a task, and settings besides its defaults."""

    block: str
    task: Callable[[int], Drawn]
    settings: Mapping[str, Value] = field(default_factory=dict[str, Value])

    def make(self) -> nn.Module:
        declaration = installed()[self.block]
        return declaration.load()(WIDTH, **{**declaration.defaults(), **self.settings})


CASES = (
    Case("lru", drift),
    Case("lru", echo),
    Case("mamba2", drift),
    Case("mega", drift),
    Case("mega", recall),
    Case("mru", permuted, {"inertia": 3.0, "heads": 8}),
    Case("rg_lru", drift),
    Case("token_shift", neighbour),
    Case("latent", recall),
    Case("stick_breaking", recall),
    Case("multi_token", recall),
    Case("linear_attention", recall),
    Case("gated_linear", recall),
    Case("mlstm", recall),
    Case("infini", recall),
    Case("knn", recall),
    Case("associative", recall),
    Case("stm", recall),
    Case("fast_kan", addition),
    Case("pattention", addition),
    Case("product_memory", addition),
)
TASKS = dict.fromkeys(case.task for case in CASES)


class Small(nn.Module):
    """Embeddings of the features, added up, a block and a head: (B, T, F) to (B, T, answers)."""

    def __init__(self, block: nn.Module | None, features: int) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(2 * ANSWERS, WIDTH) for _ in range(features))
        self.block = block
        self.head = nn.Linear(WIDTH, ANSWERS)

    def forward(self, tokens: Tensor) -> Tensor:
        pairs = zip(self.embeddings, tokens.unbind(2), strict=True)
        x = torch.stack([embed(feature) for embed, feature in pairs]).sum(0)
        if self.block is not None:
            frame = dense_frame(
                len(x), TOKENS, context=TOKENS, segment=TOKENS // 2, keep=False
            )  # keys and values stand in the first segment, what is asked in the second
            x = self.block(x, None, frame)[0]
        return self.head(x)


def losses(block: nn.Module | None, task: Callable[[int], Drawn]) -> Iterator[float]:
    """Train on fresh rows and yield each step's loss over that of even answers."""
    model = Small(block, task(1)[0].shape[2])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    even = math.log(2 if task is drift else ANSWERS)
    while True:
        tokens, answers = task(ROWS)
        loss = F.cross_entropy(model(tokens).flatten(0, 1), answers.flatten(), ignore_index=IGNORED)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield float(loss.detach()) / even


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.block}-{case.task.__name__}")
def test_a_block_learns_what_it_is_for(case: Case) -> None:
    torch.manual_seed(0)
    last = deque([math.inf] * 5, maxlen=5)
    for loss in islice(losses(case.make(), case.task), STEPS):
        last.append(loss)
        if sum(last) < 5 * BOUND:
            return
    pytest.fail(f"after {STEPS} steps the loss is still {sum(last) / 5:.2f} of even answers'")


@pytest.mark.parametrize(
    "task", dict.fromkeys(c.task for c in CASES), ids=lambda task: task.__name__
)
def test_without_the_block_there_is_no_way(task: Callable[[int], Drawn]) -> None:
    torch.manual_seed(0)
    assert min(islice(losses(None, task), 40, 80)) > 0.9
