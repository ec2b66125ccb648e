"""Public implementations of what the catalog holds, each with our settings and like sizes.

They come from the dependency group ``benchmarks``, and each is optional. They are pure torch on the
CPU and causal, as ours are. What they do is not the same in everything:

* a convolution inside of a block has one tap, because ours is a block of its own;
* ``retention``: Lightning attention of MiniMax fades by head like it, but turns nothing;
* ``mega``: the averages of all channels fade alike;
* ``mlp`` and ``moe``: gelu; sigmoid scores instead of a softmax;
* ``product_memory``: values are as wide as x and not gated, in ours too, and the peer has our
  output map behind it;
* ``hyper``, ``frac`` and ``mhc`` are always dynamic, so ours are too; of mHC each stream makes its
  maps by itself there.

Left out: peers that approximate (a blind spot of a bucket in linear attention, stored keys in an
index on the disk), that need Triton (flash-linear-attention), and that are not in the registry.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

Settings = dict[str, Any]


@dataclass(frozen=True)
class Peer:
    """A public module, which is made by ``make(width, settings)`` from settings of ours.

    Attributes:
        given: settings of ours that the peer has no choice about. Residuals of a peer have their
            streams as rows of the batch, (n B, T, W).
    """

    distribution: str
    make: Callable[[int, Settings], Any]
    given: Settings = field(default_factory=dict[str, Any])


def imported(module: str, name: str) -> Any:
    """Return a class of an optional package."""
    return getattr(importlib.import_module(module), name)


class Called(nn.Module):
    """A module and what else its call takes: ``call(module, x)`` maps (B, T, W) to the same."""

    def __init__(self, call: Callable[..., Tensor], *modules: Any) -> None:
        super().__init__()
        self.call = call
        self.inner = nn.ModuleList(modules)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, T, W) to the same."""
        return self.call(x, *self.inner)


def first_of(x: Tensor, layer: Any) -> Tensor:
    """Return the first output of a layer that has several."""
    return layer(x)[0]


def hugging(model: str, name: str, sizes: Settings, *parts: str) -> list[Any]:
    """Return modules of a model of transformers, made from a config of these sizes.

    A name that ends in ``!`` is a layer, which is told its number.
    """
    config = imported("transformers", f"{name}Config")(**sizes)
    home = f"transformers.models.{model}.modeling_{model}"
    return [
        imported(home, name + part.rstrip("!"))(config, *((1,) if part.endswith("!") else ()))
        for part in parts
    ]


def rotated(attention: Any, rotary: Any) -> nn.Module:
    """Return attention of transformers with its rotations, made anew in each call as ours are."""

    def call(x: Tensor, attention: Any, rotary: Any) -> Tensor:
        turns = rotary(x, torch.arange(x.shape[1], device=x.device)[None])
        return attention(x, position_embeddings=turns, attention_mask=None)[0]

    return Called(call, attention, rotary)


def llama_attention(width: int, settings: Settings) -> nn.Module:
    """Return grouped-query attention with rotations of transformers."""
    heads = settings["heads"]
    sizes = {
        "hidden_size": width, "num_attention_heads": heads, "attn_implementation": "sdpa",
        "num_key_value_heads": heads // settings["group"],
    }  # fmt: skip
    return rotated(*hugging("llama", "Llama", sizes, "Attention!", "RotaryEmbedding"))


def x_attention(width: int, settings: Settings) -> nn.Module:
    """Return grouped-query attention with rotations of x-transformers."""
    home = "x_transformers.x_transformers"
    heads, group = settings["heads"], settings["group"]
    attention = imported(home, "Attention")(
        width, heads=heads, dim_head=width // heads, kv_heads=heads // group, causal=True,
        flash=True,
    )  # fmt: skip

    def call(x: Tensor, attention: Any, rotary: Any) -> Tensor:
        return attention(x, rotary_pos_emb=rotary.forward_from_seq_len(x.shape[1]))

    return Called(call, attention, imported(home, "RotaryEmbedding")(width // heads))


def differential(width: int, settings: Settings) -> nn.Module:
    """Return the differential attention of transformers."""
    heads = 2 * settings["heads"]  # ours are pairs
    sizes = {
        "hidden_size": width, "num_attention_heads": heads, "num_key_value_heads": heads,
        "attn_implementation": "sdpa",
    }  # fmt: skip
    return rotated(*hugging("diffllama", "DiffLlama", sizes, "Attention!", "RotaryEmbedding"))


def latent(version: int) -> Callable[[int, Settings], nn.Module]:
    """Return the maker of the latent attention of DeepSeek's second or third model."""

    def make(width: int, settings: Settings) -> nn.Module:
        heads = settings["heads"]
        head, rank = width // heads, round(settings["kv_rank"] * width)
        turned = round(settings["rope_share"] * head)
        sizes = {
            "hidden_size": width, "num_attention_heads": heads, "num_key_value_heads": heads,
            "q_lora_rank": None, "kv_lora_rank": rank, "qk_nope_head_dim": head,
            "qk_rope_head_dim": turned, "v_head_dim": head, "head_dim": turned,
            "attn_implementation": "sdpa",
        }  # fmt: skip
        model, name = f"deepseek_v{version}", f"DeepseekV{version}"
        return rotated(*hugging(model, name, sizes, "Attention!", "RotaryEmbedding"))

    return make


def lightly(x: Tensor, layer: Any) -> Tensor:
    """Call Lightning attention without rotations and mask, neither of which it uses."""
    return layer(x, None, None)[0]


def lightning(chunk: int) -> Callable[[int, Settings], nn.Module]:
    """Return the maker of the Lightning attention of transformers with chunks of that size."""

    def make(width: int, settings: Settings) -> nn.Module:
        heads = settings["heads"]
        sizes = {
            "hidden_size": width, "num_attention_heads": heads, "head_dim": width // heads,
            "num_hidden_layers": 3, "block_size": chunk,
        }  # fmt: skip
        layers = hugging("minimax", "MiniMax", sizes, "LightningAttention!")
        return Called(lightly, *layers)

    return make


def llama_glu(width: int, settings: Settings) -> nn.Module:
    """Return the gated feed-forward of transformers."""
    hidden = 8 * round(settings["multiple"] * width / 8)
    sizes = {"hidden_size": width, "intermediate_size": hidden}
    return hugging("llama", "Llama", sizes, "MLP")[0]


def x_glu(width: int, settings: Settings) -> nn.Module:
    """Return the gated feed-forward of x-transformers."""
    feedforward = imported("x_transformers.x_transformers", "FeedForward")
    return feedforward(width, mult=settings["multiple"], glu=True, swish=True)


def neox_mlp(width: int, settings: Settings) -> nn.Module:
    """Return the feed-forward of transformers."""
    sizes = {"hidden_size": width, "intermediate_size": round(settings["multiple"] * width)}
    return hugging("gpt_neox", "GPTNeoX", sizes, "MLP")[0]


def x_mlp(width: int, settings: Settings) -> nn.Module:
    """Return the feed-forward of x-transformers."""
    return imported("x_transformers.x_transformers", "FeedForward")(
        width, mult=settings["multiple"]
    )


def convolution(width: int, settings: Settings) -> nn.Module:
    """Return the causal depthwise convolution of transformers, from (B, T, W) and back."""
    home = "transformers.models.qwen3_next.modeling_qwen3_next"
    convolve = imported(home, "causal_conv1d_fn")
    taps = nn.Conv1d(width, width, settings["kernel"], groups=width, bias=False)

    def call(x: Tensor, taps: Any) -> Tensor:
        return convolve(x.mT, taps.weight.squeeze(1)).mT

    return Called(call, taps)


def delta(width: int, settings: Settings) -> nn.Module:
    """Return the Gated DeltaNet of transformers."""
    heads = settings["heads"]
    sizes = {
        "hidden_size": width, "linear_conv_kernel_dim": 1, "num_hidden_layers": 4,
        "linear_key_head_dim": width // heads, "linear_value_head_dim": width // heads,
        "linear_num_key_heads": heads, "linear_num_value_heads": heads,
    }  # fmt: skip
    return hugging("qwen3_next", "Qwen3Next", sizes, "GatedDeltaNet!")[0]


def linear(width: int, settings: Settings) -> nn.Module:
    """Return causal linear attention without a blind spot."""
    home = "linear_attention_transformer.linear_attention_transformer"
    return imported(home, "SelfAttention")(width, settings["heads"], causal=True)


def matrix_memory(width: int, settings: Settings) -> nn.Module:
    """Return the mLSTM of transformers (its own chunked form)."""
    sizes = {
        "hidden_size": width, "num_heads": settings["heads"], "qk_dim_factor": 1.0,
        "mode": "train", "weight_mode": "fused",
    }  # fmt: skip
    return Called(first_of, *hugging("xlstm", "xLSTM", sizes, "Layer"))


def mamba2(width: int, settings: Settings) -> nn.Module:
    """Return the Mamba-2 mixer of transformers (its own chunked form)."""
    expand, heads = max(1, int(settings["expand"])), settings["heads"]
    sizes = {
        "hidden_size": width, "expand": expand, "num_heads": heads, "n_groups": 1,
        "head_dim": expand * width // heads, "state_size": settings["state"],
        "conv_kernel": settings["kernel"], "chunk_size": 64,
    }  # fmt: skip
    return hugging("mamba2", "Mamba2", sizes, "Mixer!")[0]


def griffin(width: int, settings: Settings) -> nn.Module:
    """Return the recurrent block of RecurrentGemma in transformers, a loop over tokens."""
    sizes = {
        "hidden_size": width, "lru_width": round(settings["expansion"] * width),
        "num_attention_heads": 1, "num_key_value_heads": 1, "conv1d_width": 1,
    }  # fmt: skip
    (layer,) = hugging("recurrent_gemma", "RecurrentGemma", sizes, "RecurrentBlock!")
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=width**-0.5)

    def call(x: Tensor, layer: Any) -> Tensor:
        places = torch.arange(x.shape[1], device=x.device)[None]
        return layer(x, places, None, use_cache=False)[0]

    return Called(call, layer)


def min_gru(width: int, settings: Settings) -> nn.Module:
    """Return minGRU-pytorch."""
    return imported("minGRU_pytorch", "minGRU")(width, expansion_factor=settings["expansion"])


def mega(width: int, settings: Settings) -> nn.Module:
    """Return the layer of Mega-pytorch."""
    return imported("mega_pytorch.mega_pytorch", "MegaLayer")(
        dim=width, ema_heads=settings["ndim"], attn_dim_qk=round(settings["key"] * width),
        attn_dim_value=round(settings["value"] * width),
    )  # fmt: skip


def infini(width: int, settings: Settings) -> nn.Module:
    """Return the attention of infini-transformer-pytorch, called for each of four segments."""
    layer = imported("infini_transformer_pytorch.infini_transformer", "CausalAttention")(
        width, dim_head=width // settings["heads"], heads=settings["heads"],
        use_mem_delta_rule=settings["delta"],
    )  # fmt: skip

    def call(x: Tensor, layer: Any) -> Tensor:
        memories, parts = None, list[Tensor]()
        for part in x.chunk(4, 1):
            y, _, memories = layer(part, past_memories=memories, return_new_memories=True)
            parts.append(y)
        return torch.cat(parts, 1)

    return Called(call, layer)


def experts(width: int, settings: Settings) -> nn.Module:
    """Return PEER-pytorch with as many experts, heads and choices."""
    return imported("PEER_pytorch", "PEER")(
        width, heads=settings["heads"], num_experts=settings["side"] ** 2,
        num_experts_per_head=settings["k"], dim_key=settings["key_dim"] // 2, pre_rmsnorm=False,
        non_competing_scores=settings["score"] != "softmax",
    )  # fmt: skip


def product_memory(width: int, settings: Settings) -> nn.Module:
    """Return product-key-memory with as many entries, heads and choices, and an output map."""
    memory = imported("product_key_memory", "PKM")(
        width, heads=settings["heads"], num_keys=settings["side"], topk=settings["k"],
        dim_head=settings["key_dim"] // 2,
    )  # fmt: skip
    return nn.Sequential(memory, nn.Linear(width, width, bias=False))


def mixture(implementation: str) -> Callable[[int, Settings], nn.Module]:
    """Return the maker of the mixture of experts of transformers."""

    def make(width: int, settings: Settings) -> nn.Module:
        sizes = {
            "hidden_size": width, "n_routed_experts": settings["routed"], "n_group": 1,
            "moe_intermediate_size": 8 * round(settings["multiple"] * width / 8), "topk_group": 1,
            "num_experts_per_tok": settings["k"], "n_shared_experts": settings["shared"],
            "experts_implementation": implementation,
        }  # fmt: skip
        (layer,) = hugging("deepseek_v3", "DeepseekV3", sizes, "MoE")
        for parameter in layer.parameters():
            nn.init.normal_(parameter, std=width**-0.5)
        return layer

    return make


def splines(width: int, settings: Settings) -> nn.Module:
    """Return the layer of pykan, the paper's own."""
    extent = settings["extent"]
    layer = imported("kan.KANLayer", "KANLayer")(
        width, width, num=settings["grid"], k=settings["order"], grid_range=[-extent, extent]
    )

    def call(x: Tensor, layer: Any) -> Tensor:
        return layer(x.flatten(0, 1))[0].view_as(x)

    return Called(call, layer)


def connections(name: str) -> Callable[[int, Settings], nn.Module]:
    """Return the maker of hyper-connections, around a branch that does nothing."""

    def make(width: int, settings: Settings) -> nn.Module:
        streams, fractions = settings.get("streams", 1), settings.get("fractions", 1)
        home, _, kind = name.rpartition(".")
        layer = imported(home, kind)(streams, dim=width, num_fracs=fractions, layer_index=0)

        def call(x: Tensor, layer: Any) -> Tensor:
            branch, add = layer(x)
            return add(branch)

        return Called(call, layer)

    return make


HYPER = "hyper_connections.HyperConnections"
MHC = "hyper_connections.manifold_constrained_hyper_connections.ManifoldConstrainedHyperConnections"
DYNAMIC = {"dynamic": True}
WIDE = {"gate": False, "value": 1.0}

PEERS: dict[str, tuple[Peer, ...]] = {
    "attention": (Peer("transformers", llama_attention), Peer("x-transformers", x_attention)),
    "differential": (Peer("transformers", differential),),
    "latent": (Peer("transformers", latent(2)), Peer("transformers", latent(3))),
    "retention": (Peer("transformers", lightning(128)), Peer("transformers", lightning(256))),
    "short_conv": (Peer("transformers", convolution),),
    "glu": (Peer("transformers", llama_glu), Peer("x-transformers", x_glu)),
    "mlp": (Peer("transformers", neox_mlp), Peer("x-transformers", x_mlp)),
    "kan": (Peer("pykan", splines),),
    "gated_delta": (Peer("transformers", delta),),
    "linear_attention": (Peer("linear-attention-transformer", linear),),
    "mlstm": (Peer("transformers", matrix_memory),),
    "infini": (Peer("infini-transformer-pytorch", infini),),
    "product_memory": (Peer("product-key-memory", product_memory, {"gate": False, "value": 1.0}),),
    "moe": (Peer("transformers", mixture("grouped_mm")), Peer("transformers", mixture("eager"))),
    "peer": (Peer("PEER-pytorch", experts),),
    "mamba2": (Peer("transformers", mamba2),),
    "mega": (Peer("Mega-pytorch", mega),),
    "mingru": (Peer("minGRU-pytorch", min_gru),),
    "rg_lru": (Peer("transformers", griffin),),
    "hyper": (Peer("hyper-connections", connections(HYPER), DYNAMIC),),
    "frac": (Peer("hyper-connections", connections(HYPER), DYNAMIC),),
    "mhc": (Peer("hyper-connections", connections(MHC), DYNAMIC),),
}
"""The public peers of an entry; the fastest of those that run is the one it is measured by."""
