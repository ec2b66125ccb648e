"""``run --genome`` tries genomes of the user's own first, and refuses what it cannot try."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from praxis_evolve.blocks.registry import installed
from praxis_evolve.cli.errors import Code
from praxis_evolve.cli.own_genomes import MOST_FILE
from praxis_evolve.cli.view import facts
from praxis_evolve.genome.identity import genome_id
from praxis_evolve.genome.space import Space
from praxis_evolve.genome.starters import starters
from praxis_evolve.genome.text import MOST_BYTES, to_json
from praxis_evolve.market.ledger import Ledger
from praxis_evolve.market.manifest import Manifest
from praxis_evolve.search.base import Asked, Assignment
from praxis_evolve.tests.cli.calling import Called, Cli, Tiny
from praxis_evolve.tests.cli.test_bad_input import refused

DEMO = Space(installed(), widths=(64,), context=64)
"""What genomes of the size ``demo`` are written for, but for its limits."""


def document(name: str, space: Space = DEMO) -> dict[str, Any]:
    return json.loads(to_json(starters(space, layers=1)[name]))


def written(path: Path, content: object) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def started(cli: Cli, tiny: Tiny, store: str, *flags: str) -> Called:
    return cli(
        "run", "--text", str(tiny.text), "--size", "demo", "--population", "4", "--rungs",
        "256,512", "--workers", "1", "--device", "cpu", "--store", store, "--name", "mine",
        "--quiet", "--no-report", *flags,
    )  # fmt: skip


def asked_first(store: str) -> list[Assignment]:
    """Return the assignments of the search, without those that tune the baseline."""
    with Ledger.open(store) as ledger:
        asked = [e.assignment for e in ledger.events("mine") if isinstance(e, Asked)]
    return [each for each in asked if each.origin != "tuning"]


def test_a_run_begins_with_the_genomes_of_files_and_keeps_them(
    cli: Cli, tiny: Tiny, tmp_path: Path
) -> None:
    shown = cli("show", "llama", "--store", tiny.url, "--json").json
    files = [
        written(tmp_path / "shown.json", shown),
        written(tmp_path / "exported" / "genome.json", document("gpt2")),
    ]
    store = f"sqlite:///{tmp_path / 'new.db'}"
    genomes = [flag for file in files for flag in ("--genome", file)]
    assert started(cli, tiny, store, *genomes, "--max-evals", "8").code == Code.DONE
    with Ledger.open(store) as ledger:
        manifest = Manifest.from_dict(ledger.manifest("mine"))
    assert "2 of your own" in facts(manifest)["population"]
    first = asked_first(store)[:2]
    assert [each.origin for each in first] == ["genome:exported", "genome:shown"]
    names = {each.origin: genome_id(each.genome, installed()) for each in first}
    assert names["genome:shown"] == shown["id"]
    assert {each.rung for each in first} == {256}
    assert cli("replay", "mine", "--store", store).code == Code.DONE
    again = cli("run", "--resume", "mine", "--store", store, "--genome", files[0])
    refused(again, Code.STORE, "another genome")


def test_a_dry_run_shows_the_genomes_that_the_manifest_has(cli: Cli, tmp_path: Path) -> None:
    path = written(tmp_path / "mine.json", document("llama"))
    found = dry(cli, "--genome", path, "--json").json
    assert found["settings"]["genome"] == {"value": [path], "origin": "flag"}
    assert json.loads(found["manifest"]["genomes"]["mine"]) == document("llama")


def test_files_are_named_in_the_environment_with_commas(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("llama", "gpt2"):
        written(tmp_path / f"{name}.json", document(name))
    monkeypatch.setenv("PRAXIS_GENOME", "llama.json, gpt2.json")
    assert sorted(dry(cli, "--json").json["manifest"]["genomes"]) == ["gpt2", "llama"]
    written(tmp_path / "a,b.json", document("llama"))
    assert list(dry(cli, "--json", "--genome", "a,b.json").json["manifest"]["genomes"]) == ["a,b"]


def dry(cli: Cli, *flags: str) -> Called:
    return cli("run", "--device", "cpu", "--size", "demo", "--dry-run", *flags)


def broken(**changes: object) -> dict[str, Any]:
    return {**document("llama"), **changes}


def unknown_block() -> dict[str, Any]:
    found = document("llama")
    found["pool"][0]["block"]["name"] = "atention"
    return found


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", ["'bad.json' holds no genome", "not JSON", "export"]),
        ("[" * 100_000, ["'bad.json' holds no genome", "at most 65536 bytes"]),
        ("[" * 1000, ["'bad.json' holds no genome", "nested at most"]),
        ({"format": 1}, ["'bad.json' holds no genome", "lacks the key 'pool'; add it"]),
        ({"schema": "praxis-evolve/genome/1"}, ["must be an object", "has None"]),
        (broken(format=9), ["genome.format must be 1, but is 9"]),
        (broken(extra=1), ["may have the keys", "has 'extra'"]),
        (unknown_block(), ["pool[0].block", "'atention'", "attention"]),
        (" " * (MOST_BYTES + 1), ["at most 65536 bytes", "65537"]),
        (" " * (MOST_FILE + 1), ["'bad.json' is too large", "1,048,576 bytes"]),
        (
            document("llama", Space(installed(), widths=(32,), context=64)),
            ["'bad.json' is not legal", "stack.width must be one of [64]", "is 32", "--size"],
        ),
    ],
)  # fmt: skip
def test_a_file_without_a_genome_for_this_run(
    cli: Cli, tmp_path: Path, content: object, says: list[str]
) -> None:
    written(tmp_path / "bad.json", content)
    refused(dry(cli, "--genome", "bad.json"), Code.USAGE, "--genome", *says)
    assert not (tmp_path / "runs").exists()


def test_a_genome_beyond_a_limit_names_value_limit_and_cure(cli: Cli, tmp_path: Path) -> None:
    written(tmp_path / "large.json", document("llama"))
    parameters = DEMO.costs(starters(DEMO, layers=1)["llama"]).parameters
    called = dry(cli, "--genome", "large.json", "--limit", f"params={parameters - 1}")
    refused(
        called, Code.USAGE, "'large.json' is not legal", f"parameters are {parameters:,}",
        f"the limit is {parameters - 1:,}", "--limit",
    )  # fmt: skip
    assert dry(cli, "--genome", "large.json", "--limit", f"params={parameters}").code == Code.DONE


def test_what_is_no_file_or_no_text(cli: Cli, tmp_path: Path) -> None:
    refused(dry(cli, "--genome", "gone.json"), Code.USAGE, "nothing at 'gone.json'")
    written(tmp_path / "folder" / "genome.json", document("llama"))
    refused(dry(cli, "--genome", "folder"), Code.USAGE, "is a folder", "'folder/genome.json'")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    refused(dry(cli, "--genome", "bytes.json"), Code.USAGE, "'bytes.json'", "UTF-8")
    written(tmp_path / "new\nline.json", document("llama"))
    refused(dry(cli, "--genome", "new\nline.json"), Code.USAGE, "printable", "rename the file")


def test_names_and_genomes_are_given_once_and_fit_the_population(cli: Cli, tmp_path: Path) -> None:
    one = written(tmp_path / "one.json", document("llama"))
    same = written(tmp_path / "same.json", document("llama"))
    alike = written(tmp_path / "other" / "one.json", document("gpt2"))
    refused(dry(cli, "--genome", one, "--genome", same), Code.USAGE, "same.json", "one genome")
    refused(dry(cli, "--genome", one, "--genome", alike), Code.USAGE, "called 'one'", "rename")
    many = [flag for _ in range(5) for flag in ("--genome", one)]
    refused(
        dry(cli, "--population", "4", *many), Code.USAGE, "given 5 times", "room for 4 genomes",
        "--population",
    )  # fmt: skip
