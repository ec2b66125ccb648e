import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from praxis_evolve.blocks.registry import Catalog
from praxis_evolve.genome.draw import fresh_genome
from praxis_evolve.genome.genes import LEGACY
from praxis_evolve.genome.graph import Entry, Genome, Part, Visit
from praxis_evolve.genome.text import MOST_BYTES, GenomeError, from_json, to_json

LOOK = Part("look", {"heads": 2, "turn": True, "pace": 10.0, "late": 1})
GENOME = Genome(
    (Entry(LOOK, Part("slide", {"reach": 4}), "a/0"), Entry(Part("dream"), lineage="a/1")),
    (Visit(0, router=Part("weigh")), Visit(1, (0, -1), -1, "gate")),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
QUICK = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


def lineages(genome: Genome) -> list[str]:
    return [entry.lineage for entry in genome.pool]


@QUICK
@given(seed=st.integers(0, 2**32))
def test_round_trip(toys: Catalog, seed: int) -> None:
    genome = fresh_genome(toys, (32, 64), random.Random(seed), "birth", visits=8, context=128)
    back = from_json(to_json(genome), toys)
    assert back == genome
    assert to_json(back) == to_json(genome)
    assert lineages(back) == lineages(genome)


def test_types_survive(toys: Catalog) -> None:
    block = from_json(to_json(GENOME), toys).pool[0].block
    assert [type(value) for value in block.settings.values()] == [int, int, float, bool]


def test_what_is_equal_in_texts_is_one_object_and_what_only_counts_as_equal_is_not(
    toys: Catalog,
) -> None:
    one, other = (from_json(to_json(GENOME), toys) for _ in range(2))
    assert one.pool[0] is other.pool[0]
    assert one.stack is other.stack
    assert one.route[0] is other.route[0]
    for zero in (False, 0.0):
        with pytest.raises(GenomeError, match=r"route\[0\].block must be a whole number"):
            from_json(changed("route", 0, "block", to=zero), toys)
    named = from_json(changed("pool", 0, "lineage", to="elsewhere"), toys)
    assert (named.pool[0].lineage, named.pool[0].block) == ("elsewhere", one.pool[0].block)
    assert named.pool[0].block is one.pool[0].block
    unused = next(each.name for each in toys if f'"{each.name}"' not in to_json(GENOME))
    others = toys.only(each.name for each in toys if each.name != unused)
    elsewhere = from_json(to_json(GENOME), others)
    assert elsewhere == one
    assert elsewhere.pool[0] is not one.pool[0]


def document() -> Any:
    return json.loads(to_json(GENOME))


def changed(*path: str | int, to: object) -> str:
    """The genome's text with another value at a path."""
    whole = inner = document()
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return json.dumps(whole)


BLOCK = ("pool", 0, "block")

REFUSED: list[tuple[str, str]] = [
    ("", "the text is not JSON"),
    ("{", "the text is not JSON"),
    ("nul", "the text is not JSON"),
    ("[]", r"genome must be an object with the keys format, pool, .* but has \[\]"),
    (changed("format", to=2), "genome.format must be 1, but is 2"),
    (changed("format", to=True), "genome.format must be 1, but is True"),
    (changed("format", to=1.0), "genome.format must be 1, but is 1.0"),
    (changed("more", to=1), "may have the keys format, .* only, but has 'more'"),
    (changed("pool", to={}), r"genome.pool must be a list, but has \{\}"),
    (changed("pool", 0, "block", to=None), r"genome.pool\[0\].block must be an object"),
    (changed(*BLOCK, "name", to="lok"), "no block is called 'lok'; the nearest are .*'look'"),
    (changed(*BLOCK, "name", to="pre"), "must be of the kind 'block', but has 'pre of the kind"),
    (changed(*BLOCK, "name", to="look\n"), "must be printable text"),
    (changed(*BLOCK, "name", to=3), "must be printable text"),
    (changed("pool", 0, "prelude", "name", to="look"), "lacks the setting|has no setting"),
    (changed(*BLOCK, "settings", "heads", to=3), r"block.settings: look.heads must be one of"),
    (changed(*BLOCK, "settings", "heads", to=True), "look.heads must be one of 1, 2, 4, .* True"),
    (changed(*BLOCK, "settings", "turn", to=1), "look.turn must be one of False, True, .* is 1"),
    (changed(*BLOCK, "settings", "pace", to=10), "look.pace must be a float from 1 to 1000"),
    (changed(*BLOCK, "settings", "pace", to=1.2345), "at most three significant digits"),
    (changed(*BLOCK, "settings", "hats", to=3), "'look' has no setting 'hats'"),
    (changed(*BLOCK, "settings", "heads", to=[2]), "look.heads must be one of"),
    (changed(*BLOCK, "settings", to=[]), r"settings must be an object, but has \[\]"),
    (changed(*BLOCK, "settings", to={str(i): 0 for i in range(65)}), "at most 64 settings"),
    (changed("route", 0, "block", to=2), "visit 0 names pool entry 2, but the pool has 2"),
    (changed("route", 0, "block", to=False), r"route\[0\].block must be a whole number, .* False"),
    (changed("route", 0, "reads", to=[]), "visit 0 reads nothing"),
    (changed("route", 0, "reads", to=[0]), "visit 0 reads 0; it may read -1"),
    (changed("route", 1, "reads", to=[0, 0]), "each read may stand once"),
    (changed("route", 1, "base", to=1), "visit 1 reads 1"),
    (
        changed("route", 1, "merge", to="max"),
        "mean, gate, sum, concat, but has 'max'",
    ),
    (changed("route", 1, "merge", to=[]), "must be one of mean, gate"),
    (changed("route", to=[]), "the route has no visit"),
    (changed("route", to=[0] * 257), "must have at most 256 items, but has 257"),
    (changed("stack", "width", to="64"), "genome.stack.width must be a whole number"),
    (changed("stack", "width", to=10**19), "at most 18 digits, but one has 20"),
    (changed("stack", "segments", to=0), "genome.stack.segments must be at least 1"),
    (changed("stack", "tied", to=1), "genome.stack.tied must be true or false, but has 1"),
    (changed("stack", "norm", to=None), "genome.stack.norm must be an object"),
    (changed("stack", "exit", to={"name": "skip", "settings": {}}), "must be of the kind 'exit'"),
    (changed("training", "clip", to=1), "genome.training.clip must be a finite number"),
    (changed("training", "clip", to=float("nan")), "must be finite, but the text has NaN"),
    (changed("training", "clip", to=float("inf")), "must be finite, but the text has Infinity"),
    (to_json(GENOME).replace('"clip": 1.0', '"clip": 1e999'), "clip must be a finite .* inf"),
    (to_json(GENOME).replace('"clip": 1.0', '"clip": ' + "9" * 5000), "at most 18 digits"),
    (to_json(GENOME).replace('"clip"', '"beta2": 0.9, "clip"'), "'beta2' stands twice"),
    ("[" * 60000, "nested at most 8 deep"),
    (" " * (MOST_BYTES + 1), f"at most {MOST_BYTES} bytes, but this text has {MOST_BYTES + 1}"),
    (changed("pool", 0, "lineage", to="x" * 201), "at most 200 characters"),
    (changed("pool", 0, "lineage", to="\ud800"), "must be printable text"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_genome_is_refused(toys: Catalog, text: str, message: str) -> None:
    with pytest.raises(GenomeError, match=message):
        from_json(text, toys)


def every_key(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found: list[tuple[str | int, ...]] = []
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()  # type: ignore[assignment]
        found = [(*path, key) for key in value]  # type: ignore[misc]
    elif isinstance(value, list):
        items = enumerate(value)  # type: ignore[arg-type]
    for key, inner in items:
        found += every_key(inner, (*path, key))
    return found


@pytest.mark.parametrize("path", every_key(document()), ids=str)
def test_no_key_may_be_missing(toys: Catalog, path: tuple[str | int, ...]) -> None:
    whole = inner = document()
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    if path[-1] == "late":  # a setting that a later version added
        assert from_json(json.dumps(whole), toys).pool[0].block.settings["late"] == 0
        return
    if path[-1] in LEGACY:  # a gene that a later version added
        assert from_json(json.dumps(whole), toys).training.shuffle == LEGACY["shuffle"]
        assert {e.precision for e in from_json(json.dumps(whole), toys).pool} == {"full"}
        return
    with pytest.raises(GenomeError, match=f"lacks the (key|setting) '{path[-1]}'"):
        from_json(json.dumps(whole), toys)


def test_a_block_that_is_no_prelude_is_refused_as_one(toys: Catalog) -> None:
    text = changed("pool", 0, "prelude", to={"name": "dream", "settings": {}})
    with pytest.raises(GenomeError, match=r"pool\[0\].prelude must be a block declared as a prel"):
        from_json(text, toys)


def read_or_refused(text: str, toys: Catalog) -> None:
    """Either the text is a genome, or it is refused in words: nothing else may happen."""
    try:
        genome = from_json(text, toys)
    except GenomeError:
        return
    assert from_json(to_json(genome), toys) == genome


@QUICK
@given(value=JSON, which=st.integers(0, 10**6))
def test_any_value_anywhere_is_read_or_refused(toys: Catalog, value: object, which: int) -> None:
    paths = every_key(document())
    read_or_refused(changed(*paths[which % len(paths)], to=value), toys)


@QUICK
@given(st.data())
def test_damaged_text_is_read_or_refused(toys: Catalog, data: st.DataObject) -> None:
    text = to_json(GENOME)
    place = data.draw(st.integers(0, len(text)))
    text = text[:place] + data.draw(st.text(max_size=3)) + text[place + data.draw(SKIP) :]
    read_or_refused(text, toys)


SKIP = st.integers(0, 4)
