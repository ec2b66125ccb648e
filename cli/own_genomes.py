"""``run --genome``: genomes of the user's own, from files, that a run tries first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ..genome.identity import genome_id
from ..genome.space import Space
from ..genome.text import MOST_BYTES as MOST_GENOME
from ..genome.text import GenomeError, from_json, to_json
from .errors import CliError, Code

MOST_FILE = 1 << 20
"""Bytes of a file: ``show --json`` prints results beside the genome, which has its own limit."""

MOST_NAME = 100
SHOWN = "praxis-evolve/genome/1"
"""The schema of what ``show --json`` prints."""


def read_genomes(
    paths: Sequence[str], space: Space, *, most: int, most_bytes: int
) -> dict[str, str]:
    """Return the texts of the genomes in some files, by the names of the files.

    Args:
        paths: files with a genome each, as ``export`` and ``show --json`` write it.
        space: where all of them have to be legal.
        most: how many there may be.
        most_bytes: of all texts together.

    Raises:
        CliError: a file holds no genome or one that is not legal, or there are too many.
    """
    if len(paths) > most:
        raise _unusable(
            f"--genome is given {len(paths)} times",
            why=f"a population of {most} has room for {most} genomes",
            cure="give a larger --population, or fewer files",
        )
    texts, files = dict[str, str](), dict[str, str]()
    for path in paths:
        name, (text, known) = _name(path), _legal(path, space)
        _refuse_twice(path, name, known, texts, files)
        texts[name], files[known] = text, path
    size = sum(map(len, texts.values()))
    if size > most_bytes:
        raise _unusable(
            f"the genomes of --genome have {size:,} bytes together",
            why=f"a run holds at most {most_bytes:,} of them",
            cure="give fewer files",
        )
    return texts


def _legal(path: str, space: Space) -> tuple[str, str]:
    """Return text and id of the genome in a file."""
    try:
        genome = from_json(_genome_text(_read(path)), space.catalog)
    except GenomeError as error:
        raise _unusable(
            f"--genome: {path!r} holds no genome of this run's catalog",
            why=str(error),
            cure="praxis-evolve export, and show ID --json, write such files",
        ) from error
    if problems := space.problems(genome):
        raise _unusable(
            f"--genome: {path!r} is not legal in this run",
            why="; ".join(problems),
            cure="correct the file, or give a --limit or --size that allows it",
        )
    return to_json(genome), genome_id(genome, space.catalog)


def _read(path: str) -> str:
    """Return the text of a file that is not too large."""
    if not Path(path).exists():
        raise _unusable(
            f"--genome: there is nothing at {path!r}",
            why="it must be a file with a genome",
            cure="correct the path",
        )
    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST_FILE + 1)
        if len(data) <= MOST_FILE:
            return data.decode()
    except IsADirectoryError as error:
        raise _unusable(
            f"--genome: {path!r} is a folder",
            why="it must be a file with a genome",
            cure=f"name one, such as {str(Path(path) / 'genome.json')!r}",
        ) from error
    except UnicodeDecodeError as error:
        raise _unusable(
            f"--genome: {path!r} holds no genome", why=str(error),
            cure="it must be JSON in UTF-8, as praxis-evolve export writes it",
        ) from error  # fmt: skip
    except OSError as error:
        raise _unusable(
            f"--genome: {path!r} cannot be read", why=str(error.strerror), cure="make it readable"
        ) from error
    raise _unusable(
        f"--genome: {path!r} is too large",
        why=f"it has more than {MOST_FILE:,} bytes, a genome at most {MOST_GENOME:,}",
        cure="name a file that praxis-evolve export, or show ID --json, wrote",
    )


def _genome_text(text: str) -> str:
    """Return the genome in what ``show --json`` printed, and anything else as it is."""
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError):
        return text  # reading it as a genome says what is wrong
    found = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    return json.dumps(found.get("genome")) if found.get("schema") == SHOWN else text


def _name(path: str) -> str:
    """Return what the genome of a file is called: ``export`` calls them all ``genome.json``."""
    file = Path(path).resolve()
    name = file.parent.name if file.name == "genome.json" else file.stem
    if not name.isprintable() or not 0 < len(name) <= MOST_NAME:
        raise _unusable(
            f"--genome: {path!r} cannot name its genome",
            why=f"{name!r} is not printable text of 1 to {MOST_NAME} characters",
            cure="rename the file",
        )
    return name


def _refuse_twice(
    path: str, name: str, known: str, texts: Mapping[str, str], files: Mapping[str, str]
) -> None:
    """Refuse a second file of one name, or with one genome: *files* are by id."""
    if known in files:
        raise _unusable(
            f"--genome: {files[known]!r} and {path!r} hold one genome",
            why=f"both are g-{known[:6]}: what differs between them changes nothing",
            cure="name one of them",
        )
    if name in texts:
        raise _unusable(
            f"--genome: two files are called {name!r}, the second is {path!r}",
            why="genomes are tried under the names of their files",
            cure="rename one of them",
        )


def _unusable(what: str, *, why: str, cure: str) -> CliError:
    return CliError(what, why=why, cure=cure, code=Code.USAGE)
