"""What the parent of a node says comes to whoever listens, whole and in whatever parts."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from praxis_evolve.market.swarm.parent import Parent, Told

EVENTS = st.lists(st.fixed_dictionaries({"event": st.sampled_from("abc"), "text": st.text()}))


@given(EVENTS, st.randoms(use_true_random=False))
def test_lines_are_heard_one_by_one_however_they_are_cut(said: list[Told], rng: object) -> None:
    data = b"".join(json.dumps(each).encode() + b"\n" for each in said)
    parent, heard = Parent(), list[Told]()
    for event in "abc":
        parent.on(event, heard.append)
    while data:
        cut = rng.randint(1, len(data))  # type: ignore[attr-defined]
        parent.hear(data[:cut])
        data = data[cut:]
    assert heard == said


def test_a_line_that_is_not_understood_takes_no_other_along() -> None:
    parent, heard = Parent(), list[int]()
    parent.hear(b'{"event": "a"}\n')
    parent.on("a", lambda said: heard.append(said["n"]))
    parent.hear(b'{"event": "a", "n": 1}\n{"event"\n[]\n{}\n{"event": [1]}\n{"event": "a"}\n')
    parent.hear(b'{"event": "a", "n": 2}\n')
    assert heard == [1, 2]


def test_who_listens_late_hears_the_last_of_its_event() -> None:
    parent, heard = Parent(), list[Told]()
    parent.hear(b'{"event": "a", "n": 1}\n{"event": "a", "n": 2}\n{"event": "b", "n": 3}\n')
    parent.on("a", heard.append)
    assert heard == [{"event": "a", "n": 2}]
    parent.hear(b'{"event": "a", "n": 4}\n{"event": "b"')
    assert heard[1:] == [{"event": "a", "n": 4}]
