"""Softmax attention against loops over heads, queries and keys, and against torch's own module."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from praxis_evolve.blocks.attention.attention import Attention
from praxis_evolve.blocks.frame import Frame, dense_frame
from praxis_evolve.blocks.projection import Projection
from praxis_evolve.blocks.registry import installed

PLAIN: dict[str, Any] = {
    "heads": 4,
    "group": 1,
    "position": "none",
    "rope_base": 1e4,
    "window": 1.0,
    "head_scale": False,
    "queries": 1.0,
    "qk_norm": False,
    "gate": "none",
    "normaliser": "softmax",
    "persistent": 0,
}
CONTEXT = 16
WIDTH = 32


def block(**settings: Any) -> Attention:
    torch.manual_seed(1)
    return Attention(WIDTH, **(PLAIN | settings)).double().eval()


def inputs(tokens: int, rows: int = 2) -> Tensor:
    return torch.randn(
        rows, tokens, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(tokens)
    )


def run(module: Attention, x: Tensor, start: int = 0) -> Tensor:
    frame = dense_frame(*x.shape[:2], context=CONTEXT, segment=4, start=start)
    return module(x, None, frame)[0].detach()


def turned(vector: np.ndarray, place: int, base: float) -> np.ndarray:
    """Turn the pairs of a vector as complex numbers."""
    pairs = vector[0::2] + 1j * vector[1::2]
    pairs = pairs * np.exp(1j * place * base ** (-np.arange(len(pairs)) / len(pairs)))
    return np.stack([pairs.real, pairs.imag], 1).reshape(-1)


def length(vector: np.ndarray) -> float:
    """Return the length of a vector; the mean square has the block's 1e-6 added."""
    return math.sqrt(vector @ vector + 1e-6 * len(vector))


def loops(module: Attention, x: Tensor, at: list[int], settings: dict[str, Any]) -> np.ndarray:
    """Attend one row by the definition, one query and one head at a time."""
    values = x.numpy()
    wq, wo = module.queries.weight.detach().numpy(), module.output.weight.detach().numpy()
    wkv = module.keys_values.weight.detach().numpy()
    size = WIDTH // settings["heads"]
    heads = max(1, int(settings["heads"] * settings["queries"]))
    shared = max(1, heads // settings["group"])
    limit = max(1, int(settings["window"] * CONTEXT))
    out = np.zeros((len(at), heads * size))
    for i, place in enumerate(at):
        if place < 0:
            continue
        seen = [j for j, other in enumerate(at) if other >= 0 and 0 <= place - other < limit]
        for head in range(heads):
            group = head // (heads // shared)
            q = wq[head * size : (head + 1) * size] @ values[i]
            ks = [wkv[group * size : (group + 1) * size] @ values[j] for j in seen]
            offset = (shared + group) * size
            vs = [wkv[offset : offset + size] @ values[j] for j in seen]
            if module.sharpness is not None:  # a cosine, so that only the learned factor is left
                q = module.sharpness[head].item() * math.sqrt(size) * q / length(q)
                ks = [k / length(k) for k in ks]
            if settings["position"] in ("rope", "xpos"):
                q = turned(q, place, settings["rope_base"])
                ks = [
                    turned(k, at[j], settings["rope_base"]) for k, j in zip(ks, seen, strict=True)
                ]
            if settings["position"] == "xpos":
                log_zeta = np.log([(i // 2 * 2 / size + 0.4) / 1.4 for i in range(size)])
                ks = [
                    k * np.exp((place - at[j]) / (CONTEXT / 2) * log_zeta)
                    for k, j in zip(ks, seen, strict=True)
                ]
            scores = np.array([q @ k for k in ks]) / math.sqrt(size)
            if settings["position"] == "alibi":
                fall = 2.0 ** (-8 * (head + 1) / heads)
                scores = scores - fall * np.array([place - at[j] for j in seen])
            if module.head_scale is not None:
                scores = scores * module.head_scale[head].item()
            if module.persistent is not None:  # turned like the query: from no distance
                ms, mvs = module.persistent.detach().numpy()[:, :, group]
                if module.sharpness is not None:
                    ms = [m / length(m) for m in ms]
                if settings["position"] in ("rope", "xpos"):
                    ms = [turned(m, place, settings["rope_base"]) for m in ms]
                factor = 1.0 if module.head_scale is None else module.head_scale[head].item()
                more = [factor * (q @ m) / math.sqrt(size) for m in ms]
                scores, vs = np.append(scores, more), [*vs, *mvs]
            weights = np.exp(scores)
            weights /= weights.sum() + (settings["normaliser"] == "softmax1")
            out[i, head * size : (head + 1) * size] = sum(
                weight * v for weight, v in zip(weights, vs, strict=True)
            )
        if module.gate is not None:
            logits = next(module.gate.parameters()).detach().numpy() @ values[i]
            out[i] /= np.repeat(1 + np.exp(-logits), len(out[i]) // len(logits))
    return out @ wo.T


@pytest.mark.parametrize("position", ["rope", "alibi", "none"])
@pytest.mark.parametrize(("heads", "group"), [(1, 8), (4, 1), (4, 2), (8, 8)])
@pytest.mark.parametrize("window", [0.25, 1.0])
def test_equals_the_definition(position: str, heads: int, group: int, window: float):
    settings = PLAIN | {
        "heads": heads,
        "group": group,
        "position": position,
        "window": window,
        "rope_base": 100.0,
        "head_scale": position == "none",
    }
    module = block(**settings)
    if module.head_scale is not None:
        nn.init.uniform_(module.head_scale, 0.5, 2.0)
    compare(module, settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"queries": 0.5},
        {"queries": 0.25, "group": 8, "position": "alibi", "head_scale": True},
        {"queries": 0.25, "heads": 2, "gate": "head"},
        {"queries": 0.5, "heads": 8, "group": 2, "gate": "element", "position": "xpos"},
        {"qk_norm": True, "position": "none", "head_scale": True},
        {"qk_norm": True, "position": "xpos", "group": 4, "window": 0.5},
        {"position": "xpos", "heads": 2, "rope_base": 100.0},
        {"normaliser": "softmax1", "group": 2, "position": "rope"},
        {"persistent": 4, "group": 2, "position": "alibi", "window": 0.5},
        {"persistent": 4, "normaliser": "softmax1", "position": "none", "head_scale": True},
        {"persistent": 16, "group": 4, "position": "xpos", "qk_norm": True, "gate": "head"},
        {"persistent": 4, "normaliser": "softmax1", "queries": 0.5, "position": "rope"},
    ],
)
def test_sparse_normed_gated_and_fading_heads_equal_the_definition(settings: dict[str, Any]):
    settings = PLAIN | settings
    module = block(**settings)
    for parameter in (module.head_scale, module.sharpness):
        if parameter is not None:
            nn.init.uniform_(parameter, 0.5, 2.0)
    compare(module, settings)


def compare(module: Attention, settings: dict[str, Any]) -> None:
    """Compare a row without holes and one with holes and gaps to the loops."""
    x = inputs(CONTEXT + 4)
    dense = list(range(CONTEXT + 4))
    holed = [-1 if i % 5 in (1, 2) else 2 * i for i in dense]
    np.testing.assert_allclose(
        run(module, x)[0].numpy(), loops(module, x[0], dense, settings), atol=1e-12
    )
    at = torch.tensor([dense, holed])
    y, _ = module(x, None, Frame(at, at * 0, CONTEXT))
    np.testing.assert_allclose(
        y[1].detach().numpy(), loops(module, x[1], holed, settings), atol=1e-12
    )


def test_a_key_head_for_each_head_is_torchs_multi_head_attention():
    module = block()
    other = nn.MultiheadAttention(WIDTH, 4, bias=False, batch_first=True).double().eval()
    with torch.no_grad():
        other.in_proj_weight.copy_(torch.cat((module.queries.weight, module.keys_values.weight)))
        other.out_proj.weight.copy_(module.output.weight)
    x = inputs(12)
    future = torch.ones(12, 12, dtype=torch.bool).triu(1)
    expected, _ = other(x, x, x, attn_mask=future, need_weights=False)
    torch.testing.assert_close(run(module, x), expected)


@pytest.mark.parametrize("group", [2, 4])
def test_grouped_keys_are_repeated_keys(group: int):
    grouped, full = block(group=group, position="rope"), block(position="rope")
    size = WIDTH // 4
    with torch.no_grad():
        full.queries.weight.copy_(grouped.queries.weight)
        full.output.weight.copy_(grouped.output.weight)
        repeated = grouped.keys_values.weight.view(2, -1, size, WIDTH).repeat_interleave(group, 1)
        full.keys_values.weight.copy_(repeated.flatten(0, 2))
    x = inputs(11)
    torch.testing.assert_close(run(grouped, x), run(full, x))


def test_grouping_saves_two_head_maps_for_each_key_head():
    sizes = [sum(p.numel() for p in block(group=group).parameters()) for group in (1, 2, 4, 8)]
    assert [sizes[0] - size for size in sizes] == [2 * WIDTH * 8 * fewer for fewer in (0, 2, 3, 3)]


@pytest.mark.parametrize("position", ["rope", "xpos", "alibi", "none"])
def test_one_token_passes_its_value_through(position: str):
    module = block(position=position)
    x = inputs(1)
    values = x @ module.keys_values.weight[WIDTH:].T
    torch.testing.assert_close(run(module, x), values @ module.output.weight.T)


@pytest.mark.parametrize("position", ["rope", "xpos", "alibi", "none"])
def test_only_differences_of_places_matter(position: str):
    module = block(position=position, window=0.5)
    x = inputs(CONTEXT)
    torch.testing.assert_close(run(module, x, start=900), run(module, x))


def test_a_window_of_the_whole_row_is_full_attention():
    x = inputs(8)
    for position in ("rope", "alibi", "none"):
        full = run(block(position=position), x)
        torch.testing.assert_close(run(block(position=position, window=0.5), x), full)
        assert not torch.allclose(run(block(position=position, window=0.25), x), full)


def test_heads_may_change_places():
    module, other = block(position="rope"), block(position="rope")
    order = [2, 0, 3, 1]
    with torch.no_grad():
        other.queries.weight.copy_(module.queries.weight.view(4, 8, -1)[order].flatten(0, 1))
        both = module.keys_values.weight.view(2, 4, 8, -1)[:, order]
        other.keys_values.weight.copy_(both.flatten(0, 2))
        columns = module.output.weight.view(WIDTH, 4, 8)[:, order]
        other.output.weight.copy_(columns.flatten(1))
    torch.testing.assert_close(run(other, inputs(9)), run(module, inputs(9)))


def test_head_scale_starts_as_plain_attention_and_lives_without_position_only():
    scaled = block(head_scale=True)
    torch.testing.assert_close(run(scaled, inputs(9)), run(block(), inputs(9)))
    assert scaled.head_scale is not None
    assert block(head_scale=True, position="rope").head_scale is None


def test_the_cache_holds_one_token_less_than_the_window():
    for window, kept in ((1.0, CONTEXT - 1), (0.25, 3), (0.125, 1)):
        module = block(window=window, group=2, position="rope")
        frame = dense_frame(2, 3 * CONTEXT, context=CONTEXT, segment=4)
        _, carry = module(inputs(3 * CONTEXT), None, frame)
        assert carry is not None
        assert carry.k.shape == carry.v.shape == (2, kept, 2, 8)
        assert carry.at.tolist() == [list(range(3 * CONTEXT - kept, 3 * CONTEXT))] * 2


def test_at_the_old_settings_it_has_the_old_tensors():
    declared = installed()["attention"]
    for name in ("queries", "qk_norm", "gate", "normaliser", "persistent"):
        assert declared.settings[name].legacy == declared.settings[name].default == PLAIN[name]
    torch.manual_seed(5)
    module = declared.load()(WIDTH, **declared.defaults())
    assert [name for name, _ in module.named_parameters()] == [
        "queries.weight", "keys_values.weight", "output.weight",
    ]  # fmt: skip
    torch.manual_seed(5)
    for projection in (module.queries, module.keys_values, module.output):
        fresh = Projection(projection.in_features, projection.out_features)
        assert torch.equal(projection.weight, fresh.weight)


@pytest.mark.parametrize(("share", "left"), [(1.0, 8), (0.5, 4), (0.25, 2)])
def test_fewer_queries_save_scores_in_proportion(share: float, left: int):
    assert block(heads=8, queries=share).heads == left
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        module = block(heads=8, queries=share)
        run(module, torch.empty(2, 8, WIDTH, dtype=torch.float64))
    counts = counter.get_flop_counts()["Global"]
    scores = sum(n for name, n in counts.items() if str(name) in ("aten.bmm", "aten.baddbmm"))
    assert scores == share * 2 * 4 * 8**2 * WIDTH


def test_a_head_of_few_is_a_head_of_all_whose_others_are_cut_off():
    few, all_ = block(queries=0.5, position="rope"), block(position="rope")
    with torch.no_grad():
        half = WIDTH // 2
        all_.queries.weight[:half] = few.queries.weight
        both = all_.keys_values.weight.view(2, WIDTH, WIDTH)
        both[:, :half] = few.keys_values.weight.view(2, half, WIDTH)
        all_.output.weight[:, :half] = few.output.weight
        all_.output.weight[:, half:] = 0.0
    torch.testing.assert_close(run(few, inputs(9)), run(all_, inputs(9)))


@pytest.mark.parametrize("position", ["rope", "xpos", "none"])
def test_normed_queries_and_keys_have_no_size(position: str):
    module, louder = block(qk_norm=True, position=position), block(qk_norm=True, position=position)
    with torch.no_grad():
        louder.queries.weight.mul_(30.0)
        louder.keys_values.weight[:WIDTH] *= 0.2
    torch.testing.assert_close(run(louder, inputs(9)), run(module, inputs(9)), rtol=1e-4, atol=1e-4)
    plain = block(position=position)
    assert not torch.allclose(run(module, inputs(9)), run(plain, inputs(9)), atol=1e-2)


def test_normed_scores_start_as_wide_as_plain_ones():
    x = torch.randn(1, 512, WIDTH, dtype=torch.float64)
    module = block(qk_norm=True)
    assert module.sharpness is not None
    q, k, _ = module._project(x)  # pyright: ignore[reportPrivateUsage]
    scores = torch.einsum("bthd,bshd->bhts", q, k) / module.dim
    assert scores.std().item() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("gate", ["head", "element"])
def test_a_gate_multiplies_what_was_read(gate: str):
    plain, gated = block(), block(gate=gate)
    assert gated.gate is not None
    (weight,) = gated.gate.parameters()
    nn.init.zeros_(weight)  # half open
    torch.testing.assert_close(2 * run(gated, inputs(9)), run(plain, inputs(9)))
    x = inputs(9).abs()
    nn.init.constant_(weight, 30.0)  # wide open
    torch.testing.assert_close(run(gated, x), run(plain, x))
    nn.init.constant_(weight, -30.0)
    torch.testing.assert_close(run(gated, x), torch.zeros_like(x))
    with torch.no_grad():  # only the first head, or channel
        weight[0] = 30.0
        gated.output.weight[:, 1 if gate == "element" else 8 :] = 0.0
        plain.output.weight.copy_(gated.output.weight)
    torch.testing.assert_close(run(gated, x), run(plain, x))


def test_softmax1_is_a_learned_key_and_value_of_zeros():
    module, other = block(normaliser="softmax1"), block(persistent=1)
    assert other.persistent is not None
    nn.init.zeros_(other.persistent)
    torch.testing.assert_close(run(other, inputs(9)), run(module, inputs(9)))


def test_softmax1_reads_nothing_where_all_scores_are_low_and_all_where_one_is_high():
    plain, module = block(qk_norm=True), block(qk_norm=True, normaliser="softmax1")
    assert plain.sharpness is not None
    assert module.sharpness is not None
    with torch.no_grad():
        for each in (plain, module):
            each.keys_values.weight[:WIDTH] = each.queries.weight  # a token's own score is highest
            each.sharpness.fill_(60.0)  # pyright: ignore
    torch.testing.assert_close(run(module, inputs(9)), run(plain, inputs(9)))
    x = inputs(9)[:, :1]
    with torch.no_grad():
        module.sharpness.fill_(-60.0)
    assert run(module, x).abs().max() < 1e-20
    assert run(plain, x).abs().max() > 1e-3


def test_persistent_keys_without_number_are_plain_attention():
    module, other = block(persistent=4, position="rope"), block(position="rope")
    assert module.persistent is not None
    module.persistent = nn.Parameter(module.persistent[:, :0])
    torch.testing.assert_close(run(module, inputs(9)), run(other, inputs(9)))
