import pytest
from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.genome.graph import Part
from praxis_evolve.reports.naming import label_of, setting_texts, short_names, title_of

IDS = st.sets(st.text("0123456789abcdef", min_size=64, max_size=64), max_size=20)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("attention", "Attention"),
        ("short_conv", "Short conv"),
        ("glu", "GLU"),
        ("mingru", "minGRU"),
        ("sru", "SRU"),
        ("rg_lru", "RG LRU"),
        ("token-shift", "Token shift"),
    ],
)
def test_titles(name: str, title: str) -> None:
    assert title_of(name) == title


@given(ids=IDS)
def test_short_names_tell_genomes_apart(ids: set[str]) -> None:
    names = short_names(ids)
    assert set(names) == ids
    assert len(set(names.values())) == len(ids)
    assert all(genome.startswith(name.removeprefix("g-")) for genome, name in names.items())


def test_near_ids_get_longer_names() -> None:
    names = short_names(["a" * 64, "a" * 9 + "b" * 55, "g-7f3a91"])
    assert names["a" * 64] == "g-" + "a" * 10
    assert names["g-7f3a91"] == "g-7f3a91"


def test_settings_are_short(catalog: Catalog) -> None:
    texts = setting_texts(Part("attention", {"position": "none"}), catalog)
    assert texts == ["heads 4", "group 2", "position none", "window 1"]
    assert setting_texts(Part("short_conv"), catalog) == ["kernel 4"]
    assert label_of(Part("attention"), catalog) == "attention"
