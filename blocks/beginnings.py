"""How a part begins in a model that goes on from weights of another one: as if it were not there.

What is named here is set to zero: exactly one of the factors on the way to the output, so that a
gradient reaches it and the part is learned from then on. ``tests/blocks/test_beginnings.py`` holds
both for every name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from .declaration import Settings

Names = tuple[str, ...]
"""Names of parameters; ``name[1:]`` is their rows from 1 on."""


def silence(name: str, settings: Settings) -> Names | None:
    """Return what makes a part of the catalog add nothing; None if it cannot be.

    With these at zero every output of a block and of a norm is exactly zero, and a residual returns
    its base; one that names nothing does so where the branch is zero.
    """
    return None if name not in _SILENT else _SILENT[name](settings)


def transparency(name: str, settings: Settings) -> Names | None:
    """Return what makes a part of the catalog change nothing; None if it cannot be.

    With these at zero a newly drawn prelude is the identity, and an embedding its plain table.
    """
    return None if name not in _TRANSPARENT else _TRANSPARENT[name](settings)


def _always(*names: str) -> Callable[[Settings], Names]:
    return lambda settings: names


def _last_layer(settings: Settings) -> Names:
    """Both terms of the last layer of a KAN."""
    last = f"layers.{int(settings['layers']) - 1}"
    return f"{last}.base.weight", f"{last}.coefficients"


def _experts_out(settings: Settings) -> Names:
    """The last maps of all experts."""
    kan = settings["expert"] == "kan"
    maps = ("base.maps.weight", "coefficients") if kan else ("maps.weight",)
    groups = ("experts", "shared") if settings["shared"] else ("experts",)
    return tuple(f"{group}.out.{name}" for group in groups for name in maps)


def _other_taps(settings: Settings) -> Names | None:
    """All taps but that of the token itself, which starts at one."""
    return ("kernel[1:]",) if settings["activation"] == "none" else None


def _places(settings: Settings) -> Names:
    return ("places",) if settings["position"] == "learned" else ()


def _ngrams(settings: Settings) -> Names:
    return tuple(f"ngrams.{number}" for number, _ in enumerate(str(settings["orders"]).split("+")))


_OUTPUT = (
    "attention", "differential", "latent", "retention", "stick_breaking", "multi_token",
    "linear_attention", "gated_delta", "gated_linear", "mlstm", "mru",
    "infini", "knn", "associative", "stm",
)  # fmt: skip
_OUT = ("glu", "featural", "product_memory")
_OUTSIDE = ("mingru", "rg_lru", "slstm", "mamba2")

_SILENT: Mapping[str, Callable[[Settings], Names | None]] = MappingProxyType(
    {
        **dict.fromkeys(_OUTPUT, _always("output.weight")),
        **dict.fromkeys(_OUT, _always("out.weight")),
        **dict.fromkeys(_OUTSIDE, _always("outside.weight")),
        "mlp": _always("out.weight", "out.bias"),
        "kan": _last_layer,
        "fast_kan": _last_layer,
        "pattention": _always("values.weight"),
        "peer": _always("up"),
        "smear": _always("out"),
        "moe": _experts_out,
        "lru": _always("outside.weight", "through"),
        "short_conv": _always("kernel"),
        "rmsnorm": _always("gain"),
        "layernorm": _always("gain", "bias"),
        "scalenorm": _always("length"),
        "pre": _always(),
        "sandwich": _always(),
        "rezero": _always("alpha"),
        "frac": _always("branch_weight"),
        "hyper": _always("write_weight[-1:]"),
    }
)
"""By name. A token shift, SRU and Mega keep a part of their input; ``post`` norms its base and
``mhc`` always mixes its streams.
"""

_TRANSPARENT: Mapping[str, Callable[[Settings], Names | None]] = MappingProxyType(
    {
        "short_conv": _other_taps,
        "token_shift": _always("past_share"),
        "token": _places,
        "ngram": _ngrams,
    }
)
