"""Sampling, exporting and reproducing trained models of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import praxis_evolve
from praxis_evolve.cli.context import opened
from praxis_evolve.cli.errors import Code
from praxis_evolve.cli.weights import trained
from praxis_evolve.evaluator.folder import FolderError
from praxis_evolve.tests.cli.calling import Cli, Tiny


def candidate(tiny: Tiny) -> str:
    """Return a genome of the search that has no final, so no stored weights."""
    kept = {path.name[:24] for path in (tiny.folder / "weights").glob("*.weights.safetensors")}
    with opened(tiny.url, "tiny") as run:
        return next(r.genome for r in run.plan.results if r.genome[:24] not in kept)


def test_an_exported_model_gives_the_same_logits(cli: Cli, tiny: Tiny, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    assert cli("export", "llama", "--store", tiny.url, "--out", str(folder)).code == 0
    restored = praxis_evolve.load(folder)
    with opened(tiny.url, "tiny") as run:
        original = trained(run, "llama", None)
    tokens = torch.randint(256, (2, 40), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(restored(tokens).logits, original.model(tokens).logits)
    facts = json.loads((folder / "config.json").read_text())["facts"]
    assert facts["test_bits_per_byte"] == original.result.test_bits_per_byte
    assert facts["genome"] == original.result.genome
    again = cli("export", "llama", "--store", tiny.url, "--out", str(folder))
    assert again.code == Code.USAGE
    assert "not empty" in again.err


def test_samples_are_the_same_for_a_seed_and_from_a_folder(
    cli: Cli, tiny: Tiny, tmp_path: Path
) -> None:
    how = ["the quick", "--bytes", "20", "--seed", "7"]
    one = cli("sample", "llama", *how, "--store", tiny.url)
    assert one.code == 0
    assert one.out.startswith("the quick")
    assert cli("sample", "llama", *how, "--store", tiny.url).out == one.out
    folder = tmp_path / "model"
    cli("export", "llama", "--store", tiny.url, "--out", str(folder))
    assert cli("sample", str(folder), *how).out == one.out


def test_a_sample_may_be_longer_than_the_context(cli: Cli, tiny: Tiny) -> None:
    # gpt2 has learned positions, which end with the context of 64
    called = cli("sample", "gpt2", "a" * 100, "--bytes", "80", "--store", tiny.url)
    assert called.code == 0
    assert len(called.out) > 150


def test_what_has_no_weights_says_what_has(cli: Cli, tiny: Tiny) -> None:
    called = cli("sample", candidate(tiny), "--store", tiny.url)
    assert called.code == Code.NOT_FOUND
    assert "finalists and baselines" in called.err
    assert "reproduce" in called.err
    called = cli("export", "llama", "--replica", "9", "--out", "x", "--store", tiny.url)
    assert (called.code, "1, 2, 3" in called.err) == (Code.NOT_FOUND, True)


def test_a_final_of_another_machine_says_who_has_its_weights(
    cli: Cli, tiny: Tiny, tmp_path: Path
) -> None:
    """As on a peer that holds the record alone: the files of one genome are elsewhere."""
    with opened(tiny.url, "tiny") as run:
        name, _ = run.genome("llama")
        (author,) = {record.author for record in run.ledger.records("tiny")}
    files = list((tiny.folder / "weights").glob(f"{name[:24]}-*.weights.safetensors"))
    moved = [path.rename(tmp_path / path.name) for path in files]
    try:
        called = cli("sample", "llama", "--store", tiny.url)
    finally:
        for path, file in zip(files, moved, strict=True):
            file.rename(path)
    said = " ".join(called.err.split())
    assert called.code == Code.NOT_FOUND
    assert f"its finals were trained where {author[:12]} signs" in said
    assert f"praxis-evolve reproduce g-{name[:6]} --run tiny --out FOLDER" in said


def test_a_final_reproduces_from_its_record_alone(cli: Cli, tiny: Tiny, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    called = cli("reproduce", "llama", "--store", tiny.url, "--out", str(folder), "--json")
    assert called.code == 0
    found = called.json
    assert found["reproduced"]
    assert {each["split"] for each in found["splits"]} == {"search", "test"}
    for each in found["splits"]:
        assert each["bits_per_byte"] == pytest.approx(each["stored_bits_per_byte"], abs=1e-6)
    with opened(tiny.url, "tiny") as run:
        original = trained(run, "llama", found["replica"]).model
    tokens = torch.arange(30)[None]
    with torch.inference_mode():
        gap = praxis_evolve.load(folder)(tokens).logits - original(tokens).logits
    assert gap.abs().max() < 1e-5


def test_another_figure_in_the_store_does_not_reproduce(
    cli: Cli, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stored figure is off by a hundredth: exit 7, and both figures are shown."""
    from dataclasses import replace

    from praxis_evolve.cli import reproduce

    honest = reproduce._stored  # pyright: ignore[reportPrivateUsage]

    def forged(*arguments: object) -> object:
        result = honest(*arguments)  # pyright: ignore[reportArgumentType]
        return replace(result, bits_per_byte=(result.bits_per_byte or 0) - 0.01)

    monkeypatch.setattr(reproduce, "_stored", forged)
    called = cli("reproduce", candidate(tiny), "--store", tiny.url)
    assert called.code == Code.VERIFICATION
    assert "outside the tolerance" in called.out
    assert "does not reproduce" in called.err


def test_reproducing_what_was_not_measured(cli: Cli, tiny: Tiny, tmp_path: Path) -> None:
    called = cli("reproduce", "llama", "--store", tiny.url, "--rung", "77")
    assert called.code == Code.NOT_FOUND
    assert "it has: 1k replica" in called.err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    full = str(tmp_path / "full")
    assert cli("reproduce", "llama", "--store", tiny.url, "--out", full).code == Code.USAGE
    assert cli("reproduce", "llama", "--store", tiny.url, "--rung", "x").code == Code.USAGE


def test_load_says_what_a_folder_lacks(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"holds no genome\.json"):
        praxis_evolve.load(tmp_path)
