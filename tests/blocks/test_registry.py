"""Catalogs that are cut down: to some of their blocks, or to all of them."""

from __future__ import annotations

import pytest

from praxis_evolve.blocks.registry import installed


def test_a_catalog_of_fewer_blocks_has_these_and_no_others() -> None:
    catalog = installed().only(("glu", "attention"))
    assert [declaration.name for declaration in catalog] == ["glu", "attention"]
    assert catalog != installed()
    with pytest.raises(KeyError):
        catalog.only(("mlp",))


def test_what_is_computed_of_genomes_in_a_catalog_is_good_for_all_of_its_blocks() -> None:
    """It is kept by the catalog itself, so a peer's own must be the same object."""
    catalog = installed().only(("glu", "attention"))
    assert catalog.only(("glu", "attention")) is catalog
    assert catalog.only(("attention", "glu")) is not catalog
