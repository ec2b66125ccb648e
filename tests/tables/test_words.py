"""Words of choices are sound genomes, and bred as such."""

from random import Random

from praxis_evolve.benchmarks.tables.words import Place, Word, Words
from praxis_evolve.genome.cost import Costs

WORDS = Words(
    (Place("depth", (1, 2)), Place("size 0", (4, 8, 16)), Place("size 1", (4, 8, 16))),
    name=lambda word: str(word[: 2 + word[0]]),
    price=lambda word: Costs(sum(word), 1.0, 1.0, 1.0),
    live=lambda word: range(2 + word[0]),
)


def read(*words: Word) -> list[str]:
    return [WORDS.identify(WORDS.spell(word, "b")) for word in words]


def test_genomes_are_sound_and_say_what_they_chose():
    for seed in range(20):
        genome = WORDS.sample(Random(seed), "b")
        assert not list(genome.problems())
        word = WORDS.read(genome)
        assert WORDS.spell(word, "b") == genome
        assert [entry.block.settings["is"] for entry in genome.pool] == [
            place.options[letter] for place, letter in zip(WORDS.places, word, strict=True)
        ]


def test_what_is_not_live_is_kept_unused_and_no_part_of_the_identity():
    shallow = WORDS.spell((0, 1, 2), "b")
    assert len(shallow.pool) == 3
    assert [visit.block for visit in shallow.route] == [0, 1]
    same, other, deep = read((0, 1, 2), (0, 1, 0), (1, 1, 2))
    assert same == other != deep


def test_a_mutant_is_another_genome_by_one_choice_that_says_where_it_is():
    operators: set[str] = set()
    for seed in range(60):
        parent = WORDS.sample(Random(seed), "parent")
        child = WORDS.mutate(parent, Random(seed), "child")
        assert WORDS.identify(child.genome) != WORDS.identify(parent)
        pairs = zip(parent.pool, child.genome.pool, strict=True)
        changed = [b for a, b in pairs if a != b]
        assert [entry.block.name for entry in changed] == [child.operator]
        assert changed[0].lineage.startswith("child/")
        operators.add(child.operator)
    assert operators == {"depth", "size 0", "size 1"}


def test_a_child_of_two_has_each_choice_of_either_with_its_lineage():
    mother, father = WORDS.spell((0, 0, 0), "mother"), WORDS.spell((1, 1, 1), "father")
    children = [WORDS.cross(mother, father, Random(seed), "child") for seed in range(60)]
    assert len({WORDS.read(child) for child in children}) == 8
    for child in children:
        assert len(child.route) == 2 + WORDS.read(child)[0]
        for letter, entry in zip(WORDS.read(child), child.pool, strict=True):
            assert entry.lineage.startswith(("mother", "father")[letter])
