"""How the things of a genome are called in pictures, tables and text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from ..blocks.declaration import Declaration
from ..blocks.ranges import Value
from ..blocks.registry import Catalog
from ..genome.graph import Entry, Part

_SPELLED = {
    "alibi": "ALiBi", "calm": "CALM", "ffn": "FFN", "glu": "GLU", "gqa": "GQA", "gru": "GRU",
    "kan": "KAN", "kl": "KL", "knn": "kNN", "layernorm": "LayerNorm", "lru": "LRU",
    "mamba2": "Mamba-2", "mha": "MHA", "mhc": "mHC", "mingru": "minGRU", "mla": "MLA", "mlp": "MLP",
    "mlstm": "mLSTM", "mod": "MoD", "moe": "MoE", "mru": "MRU", "ngram": "n-gram", "peer": "PEER",
    "pkm": "PKM", "rezero": "ReZero", "rg": "RG", "rmsnorm": "RMSNorm", "scalenorm": "ScaleNorm",
    "slstm": "sLSTM", "smear": "SMEAR", "sru": "SRU", "ssd": "SSD", "ssm": "SSM", "stm": "STM",
    "swiglu": "SwiGLU",
}  # fmt: skip

_SHORTEST = 6


def title_of(name: str) -> str:
    """Return the name of a declaration as a heading: ``token-shift`` is "Token shift"."""
    words = name.replace("_", " ").replace("-", " ").split()
    spelled = [_SPELLED.get(word.lower(), word) for word in words]
    title = " ".join(spelled)
    return title if words[:1] != spelled[:1] else title[:1].upper() + title[1:]


def family_text(family: str) -> str:
    """Return the name of a family as it stands in a line: ``kan`` is "KAN"."""
    return _SPELLED.get(family.lower(), family)


def declared(part: Part, catalog: Catalog) -> Declaration | None:
    """Return the declaration of *part*, or None where it is not installed here."""
    if part.name not in catalog:
        return None
    return catalog[part.name]


def settings_of(part: Part, catalog: Catalog) -> dict[str, Value]:
    """Return every setting that is alive: the declared defaults and the part's own over them."""
    declaration = declared(part, catalog)
    if declaration is None:
        return dict(part.settings)
    return declaration.alive({**declaration.defaults(), **part.settings})


def family_of(part: Part, catalog: Catalog) -> str:
    """Return the family of *part*, "unknown" where it is not installed here."""
    declaration = declared(part, catalog)
    return "unknown" if declaration is None else declaration.family


def value_text(value: Value) -> str:
    """Return a setting's value as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def setting_texts(part: Part, catalog: Catalog) -> list[str]:
    """Return what a card says of the settings, such as "heads 4", "rope", "gated".

    A choice of words stands without its name, a switch only where it is on, and "none" only where
    that is not the default. A setting that came later is told where it is used.
    """
    declaration = declared(part, catalog)
    usual = {} if declaration is None else declaration.defaults()
    legacy = {} if declaration is None else {n: s.legacy for n, s in declaration.settings.items()}
    texts: list[str] = []
    for name, value in settings_of(part, catalog).items():
        word = name.replace("_", " ")
        if legacy.get(name) is not None and legacy[name] == value:
            continue  # as blocks were before the setting came
        if isinstance(value, bool):
            texts += [word] if value else []
        elif value == "none":
            texts += [f"{word} none"] if usual.get(name) != "none" else []
        elif isinstance(value, str) and value.isalpha():
            texts.append(value)
        else:
            texts.append(f"{word} {value_text(value)}")
    return texts


def entry_texts(entry: Entry, catalog: Catalog) -> list[str]:
    """Return the settings of an entry's block, and how its weights are held if not in full."""
    texts = setting_texts(entry.block, catalog)
    return texts if entry.precision == "full" else [*texts, f"{entry.precision} weights"]


def label_of(part: Part, catalog: Catalog) -> str:
    """Return the short label of *part*: its name, and its only setting where that is a number."""
    settings = list(settings_of(part, catalog).values())
    whole = (
        len(settings) == 1 and isinstance(settings[0], int) and not isinstance(settings[0], bool)
    )
    return f"{part.name}{settings[0]}" if whole else part.name


def short_names(ids: Iterable[str]) -> Mapping[str, str]:
    """Return a short name for each id: ``g-`` and the shortest prefix that tells all apart.

    Ids that are short already keep their form.
    """
    bare = {name: name.removeprefix("g-") for name in set(ids)}
    # In order, those that share the longest beginnings stand side by side.
    common = [_shared(one, other) for one, other in pairwise(sorted(set(bare.values())))]
    length = max([_SHORTEST, *(shared + 1 for shared in common)])
    return {name: f"g-{text[:length]}" for name, text in bare.items()}


def _shared(one: str, other: str) -> int:
    """Return how many letters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
