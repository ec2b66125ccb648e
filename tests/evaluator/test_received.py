"""States from others: sound ones spare a training and change nothing, all others are not used."""

from __future__ import annotations

import hashlib
import json
import math
import pickle
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from praxis_evolve.blocks.registry import installed
from praxis_evolve.evaluator import evaluate as module
from praxis_evolve.evaluator.adamw import AdamW
from praxis_evolve.evaluator.checkpoint import CheckpointError, State, open_state, save_state
from praxis_evolve.evaluator.evaluate import evaluate
from praxis_evolve.evaluator.job import Job, Offer, Setup, state_bytes
from praxis_evolve.evaluator.received import Form, form_of, received_state
from praxis_evolve.evaluator.result import Measurement, Result
from praxis_evolve.evaluator.train import train
from praxis_evolve.genome.build import build
from praxis_evolve.genome.cost import costs
from praxis_evolve.genome.graph import Genome, Training
from praxis_evolve.genome.space import Space
from praxis_evolve.genome.starters import starters

CATALOG = installed()
LOW = 1280
STEPS = 9  # of the stable phase


@pytest.fixture
def there(small_setup: Setup, tmp_path: Path) -> Setup:
    """Another machine, which trained the parent."""
    (tmp_path / "there").mkdir()
    return replace(small_setup, inherit=True, folder=str(tmp_path / "there"))


@pytest.fixture
def here(there: Setup, tmp_path: Path) -> Setup:
    (tmp_path / "here").mkdir()
    return replace(there, folder=str(tmp_path / "here"))


@pytest.fixture
def child(small_genome: Genome) -> Genome:
    return replace(small_genome, training=Training(learning_rate=0.005))


def state_of(setup: Setup) -> Path:
    """The only state that a machine keeps."""
    (path,) = Path(setup.folder).glob("*.stable.safetensors")
    return path


def recipe_of(path: Path) -> str:
    with cast(Any, safe_open)(path, "pt") as file:
        return file.metadata()["recipe"]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def offer_of(result: Result, data: bytes) -> Offer:
    assert result.bits_per_byte is not None
    return Offer(
        sha256(data), len(data), result.bits_per_byte, result.inherited_tokens, 1e-3, result.curve
    )


def received(setup: Setup, offer: Offer, data: bytes) -> Path:
    path = setup.received_path(offer.weights)
    path.write_bytes(data)
    return path


def trainings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many steps each training here takes from now on."""
    found = list[int]()

    def counted(*args: Any, **more: Any) -> Any:
        start = more.get("start")
        done = train(*args, **more)
        found.append(len(done.losses) - (start.step if start else 0))
        return done

    monkeypatch.setattr(module, "train", counted)
    return found


def lasting(result: Result) -> Result:
    assert result.ok, result.reason
    return replace(result, measured=Measurement())


def test_the_hash_of_what_is_kept_for_others_is_said(
    there: Setup, small_setup: Setup, small_genome: Genome, tmp_path: Path
) -> None:
    found = evaluate(Job(small_genome, LOW), there, CATALOG)
    assert found.measured.weights == sha256(state_of(there).read_bytes())
    assert evaluate(Job(small_genome, LOW), there, CATALOG).measured.weights == (
        found.measured.weights
    )
    assert evaluate(Job(small_genome, 2560), there, CATALOG).measured.weights == ""
    final = evaluate(Job(small_genome, LOW, 1, keep_weights=True), small_setup, CATALOG)
    kept = small_setup.weights_path(final.genome, LOW, 1)
    assert final.measured.weights == sha256(kept.read_bytes())
    (tmp_path / "plain").mkdir()
    plain = replace(small_setup, folder=str(tmp_path / "plain"))
    assert evaluate(Job(small_genome, LOW), plain, CATALOG).measured.weights == ""


def test_an_heir_of_a_received_state_is_the_heir_of_its_line(
    there: Setup, here: Setup, small_genome: Genome, child: Genome, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    parent = evaluate(Job(small_genome, LOW), there, CATALOG)
    data = state_of(there).read_bytes()
    offer = offer_of(parent, data)
    path = received(here, offer, data)
    steps = trainings(monkeypatch)
    heir = evaluate(Job(child, LOW, line=(small_genome,), offers=(offer,)), here, CATALOG)
    assert steps == [1, STEPS + 1]  # the decay branch of the parent is its proof
    assert heir.parent == parent.genome
    assert heir.inherited_tokens == STEPS * 128
    assert not path.exists()
    kept = here.checkpoint_path(parent.genome, LOW, 0)
    assert kept.read_bytes() == data  # under the name of an own one, and as it was sent
    (tmp_path / "alone").mkdir()
    alone = replace(there, folder=str(tmp_path / "alone"))
    assert lasting(evaluate(Job(child, LOW, line=(small_genome,)), alone, CATALOG)) == lasting(heir)
    steps.clear()
    grandchild = replace(child, training=Training(learning_rate=0.02))
    evaluate(Job(grandchild, LOW, line=(small_genome,), offers=(offer,)), here, CATALOG)
    assert steps == [STEPS + 1]


def test_a_state_that_inherited_spares_its_whole_line(
    there: Setup, here: Setup, small_genome: Genome, child: Genome, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = (small_genome, child)
    parent = evaluate(Job(child, LOW, line=line[:1]), there, CATALOG)
    heir = Job(replace(child, training=Training(learning_rate=0.02)), LOW, line=line)
    wanted = evaluate(heir, there, CATALOG)
    data = there.checkpoint_path(
        parent.genome, LOW, 0, Job(child, LOW, line=line[:1]).heritage
    ).read_bytes()
    offer = offer_of(parent, data)
    received(here, offer, data)
    steps = trainings(monkeypatch)
    found = evaluate(replace(heir, offers=(offer,)), here, CATALOG)
    assert steps == [1, STEPS + 1]
    assert lasting(found) == lasting(wanted)
    assert found.inherited_tokens == 2 * STEPS * 128
    for path in Path(here.folder).iterdir():
        path.unlink()
    other = replace(offer, inherited_tokens=1)  # that it is another one costs no training to see
    received(here, other, data)
    steps.clear()
    assert lasting(evaluate(replace(heir, offers=(other,)), here, CATALOG)) == lasting(wanted)
    assert steps == [STEPS + 1] * 3


def test_what_another_worker_proved_meanwhile_is_not_trained_again(
    there: Setup, here: Setup, small_genome: Genome, child: Genome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both look for the received file, which one of them takes from under the other."""
    parent = evaluate(Job(small_genome, LOW), there, CATALOG)
    data = state_of(there).read_bytes()
    offer = offer_of(parent, data)
    path = received(here, offer, data)

    def taken(*args: Any) -> Any:
        path.replace(here.checkpoint_path(parent.genome, LOW, 0))
        return safe_open(*args)

    monkeypatch.setattr("praxis_evolve.evaluator.received.safe_open", taken)
    steps = trainings(monkeypatch)
    heir = evaluate(Job(child, LOW, line=(small_genome,), offers=(offer,)), here, CATALOG)
    assert steps == [STEPS + 1]
    assert heir.inherited_tokens == STEPS * 128


Lie = Callable[[dict[str, Tensor], str], bytes]
"""(tensors of a sound state, its recipe) -> the bytes of a file."""


def written(tensors: Mapping[str, Tensor], recipe: str) -> bytes:
    """What a program of ours would write of these tensors, digest and all."""
    losses = cast("list[float]", tensors["losses"].tolist())
    others = {name: each for name, each in tensors.items() if name != "losses"}
    with TemporaryDirectory() as folder:
        path = Path(folder, "written")
        save_state(State(others, tuple(losses)), path, recipe=recipe)
        return path.read_bytes()


def nan(tensors: dict[str, Tensor], recipe: str) -> bytes:
    first = next(name for name in tensors if name.startswith("model."))
    tensors[first] = tensors[first].clone()
    tensors[first].view(-1)[0] = math.nan
    return written(tensors, recipe)


def infinite_moment(tensors: dict[str, Tensor], recipe: str) -> bytes:
    first = next(name for name in tensors if name.endswith("/square"))
    tensors[first] = torch.full_like(tensors[first], math.inf)
    return written(tensors, recipe)


def infinite_loss(tensors: dict[str, Tensor], recipe: str) -> bytes:
    return written(tensors | {"losses": tensors["losses"] * math.inf}, recipe)


def transposed(tensors: dict[str, Tensor], recipe: str) -> bytes:
    name = next(n for n, t in tensors.items() if t.dim() == 2 and t.shape[0] != t.shape[1])
    return written(tensors | {name: tensors[name].T.contiguous()}, recipe)


def doubles(tensors: dict[str, Tensor], recipe: str) -> bytes:
    return written({name: tensor.double() for name, tensor in tensors.items()}, recipe)


def whole_numbers(tensors: dict[str, Tensor], recipe: str) -> bytes:
    """Of the same sizes as the real ones."""
    return written(
        {n: t if n == "losses" else t.view(torch.int32) for n, t in tensors.items()}, recipe
    )


def one_more(tensors: dict[str, Tensor], recipe: str) -> bytes:
    return written(tensors | {"model.more": torch.zeros(3)}, recipe)


def another_name(tensors: dict[str, Tensor], recipe: str) -> bytes:
    first = next(iter(tensors))
    return written({n if n != first else f"{n}_": t for n, t in tensors.items()}, recipe)


def longer_trained(tensors: dict[str, Tensor], recipe: str) -> bytes:
    return written(tensors | {"losses": torch.ones(STEPS + 1, dtype=torch.float64)}, recipe)


def other_training(tensors: dict[str, Tensor], recipe: str) -> bytes:
    return written(tensors, recipe.replace("seed", "seed 1"))


def no_digest(tensors: dict[str, Tensor], recipe: str) -> bytes:
    return save(tensors, {"format": "praxis-evolve/checkpoint/1", "recipe": recipe})


def pickled(tensors: dict[str, Tensor], recipe: str) -> bytes:
    return pickle.dumps(Bomb())


def cut(tensors: dict[str, Tensor], recipe: str) -> bytes:
    return written(tensors, recipe)[:-5]


def huge_header(tensors: dict[str, Tensor], recipe: str) -> bytes:
    """A file that is mostly header, and sound."""
    return save(tensors, {"recipe": recipe, "padding": "x" * (1 << 20)})


def false_length(tensors: dict[str, Tensor], recipe: str) -> bytes:
    return (1 << 62).to_bytes(8, "little") + written(tensors, recipe)[8:]


def overlapping(tensors: dict[str, Tensor], recipe: str) -> bytes:
    """Two tensors in one place, and a gap where one was; no byte more or less."""
    data = written(tensors, recipe)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    one, two = [n for n in header if n.endswith("/mean")][:2]
    header[one]["data_offsets"] = header[two]["data_offsets"]
    text = json.dumps(header, separators=(",", ":")).encode()
    return data[:8] + text.ljust(length) + data[8 + length :]


def nothing(tensors: dict[str, Tensor], recipe: str) -> bytes:
    return b""


def better_than_honest(tensors: dict[str, Tensor], recipe: str) -> bytes:
    """Sound in form, but not what was trained: other weights of the same size."""
    return written(
        {n: t * 0.9 if n.startswith("model.") else t for n, t in tensors.items()}, recipe
    )


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return pytest.fail, ("a pickle was loaded",)


LIES: Mapping[Lie, str] = {
    nan: "not finite",
    infinite_moment: "not finite",
    infinite_loss: "not finite",
    transposed: "but it is F32",
    doubles: "bytes, but the genome needs",
    whole_numbers: "as I32",
    one_more: "bytes, but the genome needs",
    another_name: "have other tensors",
    longer_trained: "bytes, but the genome needs",
    other_training: "of another training",
    no_digest: "digest does not match",
    pickled: "header of",
    cut: "bytes, but the genome needs",
    huge_header: "header of",
    false_length: "header of",
    overlapping: "no safetensors",
    nothing: "bytes, but the genome needs",
}


@pytest.fixture
def sound(there: Setup, small_genome: Genome) -> tuple[Path, Form]:
    evaluate(Job(small_genome, LOW), there, CATALOG)
    form = form_of(small_genome, catalog=CATALOG, context=32, steps=STEPS, inherited=0)
    return state_of(there), form


def lied(path: Path, lie: Lie) -> bytes:
    recipe = recipe_of(path)
    state = open_state(path, recipe=recipe)
    losses = torch.tensor(state.losses, dtype=torch.float64)
    return lie({**state.tensors, "losses": losses}, recipe)


def test_a_sound_state_is_read(sound: tuple[Path, Form]) -> None:
    path, form = sound
    recipe = recipe_of(path)
    found, own = received_state(path, form, recipe=recipe), open_state(path, recipe=recipe)
    assert found.losses == own.losses
    assert found.tensors.keys() == own.tensors.keys()
    assert all(torch.equal(each, own.tensors[name]) for name, each in found.tensors.items())


STARTERS = starters(Space(CATALOG, widths=(32,), context=32), layers=1)


@pytest.mark.parametrize("name", STARTERS)
def test_the_form_is_that_of_every_genome(name: str, tmp_path: Path) -> None:
    genome, path = STARTERS[name], tmp_path / "state"
    model = build(genome, catalog=CATALOG, context=32)
    state = State.of(model, AdamW(model, genome.training), [2.0])
    save_state(replace(state, inherited=7), path, recipe="mine")
    form = form_of(genome, catalog=CATALOG, context=32, steps=1, inherited=7)
    assert received_state(path, form, recipe="mine").inherited == 7
    parameters = costs(genome, catalog=CATALOG, context=32).parameters
    assert 8 * parameters < path.stat().st_size <= state_bytes(parameters)


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_what_is_no_state_of_the_genome_is_refused(
    sound: tuple[Path, Form], tmp_path: Path, lie: Lie
) -> None:
    path, form = sound
    file = tmp_path / "received"
    file.write_bytes(lied(path, lie))
    with pytest.raises(CheckpointError, match=LIES[lie]):
        received_state(file, form, recipe=recipe_of(path))


@pytest.mark.parametrize("lie", [nan, doubles, pickled, better_than_honest])
def test_the_line_is_trained_where_what_came_is_false(
    there: Setup, here: Setup, sound: tuple[Path, Form], small_genome: Genome, child: Genome,
    lie: Lie, caplog: pytest.LogCaptureFixture, tmp_path: Path,
) -> None:  # fmt: skip
    parent = evaluate(Job(small_genome, LOW), there, CATALOG)
    data = lied(sound[0], lie)
    offer = offer_of(parent, data)
    path = received(here, offer, data)
    job = Job(child, LOW, line=(small_genome,))
    found = evaluate(replace(job, offers=(offer,)), here, CATALOG)
    assert "not used" in caplog.text
    assert not path.exists()
    assert lasting(found) == lasting(evaluate(job, there, CATALOG))
    assert here.checkpoint_path(parent.genome, LOW, 0).read_bytes() != data


def test_a_record_that_says_something_else_than_its_state_proves_nothing(
    there: Setup, here: Setup, small_genome: Genome, child: Genome, caplog: pytest.LogCaptureFixture
) -> None:
    parent = evaluate(Job(small_genome, LOW), there, CATALOG)
    data = state_of(there).read_bytes()
    true = offer_of(parent, data)
    job = Job(child, LOW, line=(small_genome,))
    for offer in (
        replace(true, bits_per_byte=true.bits_per_byte - 0.01),
        replace(true, bits_per_byte=math.nan),
        replace(true, inherited_tokens=5),
    ):
        received(here, offer, data)
        found = evaluate(replace(job, offers=(offer,)), here, CATALOG)
        assert "not used" in caplog.text
        assert found.inherited_tokens == STEPS * 128
        caplog.clear()
        here.checkpoint_path(parent.genome, LOW, 0).unlink()
        for rest in Path(here.folder).glob(f"{found.genome[:24]}*"):
            rest.unlink()


def test_without_a_file_an_offer_is_nothing(
    here: Setup, small_genome: Genome, child: Genome
) -> None:
    job = Job(child, LOW, line=(small_genome,), offers=(Offer("ab" * 32, 9, 2.0, 0, 1e-3),))
    assert evaluate(job, here, CATALOG).inherited_tokens == STEPS * 128
