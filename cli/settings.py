"""What a run is asked for: flags over environment over two files over defaults."""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, cast

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from ..genome.text import MOST_VISITS
from ..market.islands import MOST as MOST_ISLANDS
from .conditions import parse_hours, parse_span
from .errors import CliError, Code

PROJECT_FILE = "praxis.toml"
ENVIRONMENT = "PRAXIS_"
OBJECTIVES = {
    "bpb": "bits_per_byte",
    "flops": "flops",
    "active": "active_flops",
    "params": "parameters",
    "carry": "carry_bytes",
    "tok_s": "tokens_per_second",
    "memory": "peak_memory_bytes",
}
"""The objectives by their short names; the search and a manifest have the long ones."""

LIMITS = ("flops", "params", "carry", "memory", "visits")
"""What can be limited; long names are taken, too."""

SUFFIXES = {
    "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30,
}  # fmt: skip

_OF_MAX = re.compile(r"MAX(?:([*/])(\d+(?:\.\d+)?))?(?:-(\S+))?")

STRENGTH, STRONGEST = 0.05, 0.5
"""What a prior expects a trait to add to the standing of a genome unless it says, and the most."""


class RunSettings(BaseModel):
    """Everything that can be set for ``run``; the names are those of the flags."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    population: int = Field(default=64, ge=4, le=4096)
    minutes: float | None = Field(default=None, gt=0)
    max_evals: int | None = Field(default=None, ge=1)
    objectives: tuple[str, ...] = ("bpb", "flops")
    limit: tuple[str, ...] = ()
    reference: tuple[str, ...] = ()
    search: str = "evolution"
    shares: bool = True
    screen: bool = True
    seed: int = Field(default=1337, ge=0)
    history: str | None = None
    genome: tuple[str, ...] = ()
    prior: tuple[str, ...] = ()
    inherit: bool = False
    islands: int = Field(default=1, ge=1, le=MOST_ISLANDS)
    text: str | None = None
    size: Literal["auto", "demo", "small", "medium", "large"] = "auto"
    rungs: tuple[int, ...] = ()
    device: str = "auto"
    workers: int | None = Field(default=None, ge=1, le=256)
    memory_limit: str = "4G"
    gpus: tuple[int, ...] = ()
    hours: str | None = None
    idle: str | None = None
    on_battery: bool | None = None
    disk: str | None = None
    once: bool = False
    store: str = "sqlite:///runs/praxis-evolve.db"
    name: str | None = None

    @field_validator("objectives", "limit", "reference", "prior", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """Take lists, texts with commas, and lists of such texts."""
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list | tuple):
            return value
        parts = cast("Sequence[object]", value)
        return tuple(
            each.strip() if isinstance(each, str) else each
            for part in parts
            for each in (part.split(",") if isinstance(part, str) else [part])
        )

    @field_validator("genome", mode="before")
    @classmethod
    def _paths(cls, value: object) -> object:
        """Take a text with commas where several can stand in no other way; paths may have some."""
        return tuple(map(str.strip, value.split(","))) if isinstance(value, str) else value

    @field_validator("objectives", mode="after")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = [_known("objective", name, tuple(OBJECTIVES)) for name in value]
        if "bpb" not in names:
            raise ValueError("the objectives must contain 'bpb', the fitness")
        _refuse_twice("objective", names)
        return ("bpb", *(name for name in names if name != "bpb"))

    @field_validator("search", mode="after")
    @classmethod
    def _search(cls, value: str) -> str:
        from ..search.algorithms import DEFAULT, algorithm  # only where a name is given

        if value != DEFAULT:
            algorithm(value)
        return value

    @field_validator("inherit", mode="after")
    @classmethod
    def _inherit(cls, value: bool, info: ValidationInfo) -> bool:
        search = info.data.get("search", "evolution")
        if value and search != "evolution":
            raise ValueError(f"only the search 'evolution' can inherit weights, not {search!r}")
        return value

    @field_validator("prior", mode="after")
    @classmethod
    def _prior(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        _refuse_twice("prior", ["=".join(parse_prior(text)[:2]) for text in value])
        search = info.data.get("search", "evolution")
        if value and search != "evolution":
            raise ValueError(f"only the search 'evolution' assigns by shares, not {search!r}")
        if value and not info.data.get("shares", True):
            raise ValueError("shares begin with priors, and --no-shares leaves shares out")
        return value

    @field_validator("limit", mode="after")
    @classmethod
    def _limit(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        _refuse_twice("limit", [parse_limit(text)[0] for text in value])
        return value

    @field_validator("reference", mode="after")
    @classmethod
    def _reference(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        names = [parse_reference(text)[0] for text in value]
        _refuse_twice("reference", names)
        wanted: tuple[str, ...] = info.data.get("objectives", ())
        if names and len(wanted) == 1:
            raise ValueError("one objective has no hypervolume; give --objectives two or more")
        others = [name for name in names if name not in wanted]
        if others and wanted:
            raise ValueError(
                f"{others[0]!r} is none of the objectives, which are {', '.join(wanted)}"
            )
        return value

    @field_validator("memory_limit", mode="after")
    @classmethod
    def _memory(cls, value: str) -> str:
        memory_of(value, 1 << 40)
        return value

    @field_validator("gpus", mode="before")
    @classmethod
    def _numbers(cls, value: object) -> object:
        """Take a text with commas, or one number."""
        if isinstance(value, int) and not isinstance(value, bool):
            return (value,)
        return tuple(map(str.strip, value.split(","))) if isinstance(value, str) else value

    @field_validator("gpus", mode="after")
    @classmethod
    def _gpus(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(number < 0 for number in value) or len(set(value)) < len(value):
            raise ValueError("GPUs are different numbers from 0, such as 0,2")
        return value

    @field_validator("hours", mode="after")
    @classmethod
    def _hours(cls, value: str | None) -> str | None:
        if value is not None:
            parse_hours(value)
        return value

    @field_validator("idle", mode="after")
    @classmethod
    def _idle(cls, value: str | None) -> str | None:
        if value is not None:
            parse_span(value)
        return value

    @field_validator("disk", mode="after")
    @classmethod
    def _disk(cls, value: str | None) -> str | None:
        if value is not None:
            parse_amount(value)
        return value

    @field_validator("name", mode="after")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        from ..market.lookup import refuse_name  # only where a name is given: it needs sqlalchemy

        if value is not None:
            refuse_name(value)
        return value

    @field_validator("rungs", mode="before")
    @classmethod
    def _rungs(cls, value: object) -> object:
        return tuple(map(parse_amount, value.split(","))) if isinstance(value, str) else value

    @field_validator("rungs", mode="after")
    @classmethod
    def _rising(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(a >= b for a, b in pairwise(value)) or any(v < 1 for v in value):
            raise ValueError("rungs are rising numbers of tokens, such as 50k,150k,450k")
        return value


@dataclass(frozen=True)
class Layered:
    """The effective settings and where each value comes from."""

    settings: RunSettings
    origin: Mapping[str, str]


def layered(flags: Mapping[str, Any]) -> Layered:
    """Merge *flags* (None where not given) with the environment and the two files.

    Raises:
        CliError: a file is not TOML, a key is unknown, or a value is out of its range.
    """
    sources: list[tuple[str, Mapping[str, Any]]] = [
        (str(user_file()), _read(user_file())),
        (PROJECT_FILE, _read(Path(PROJECT_FILE))),
        ("environment", _environment()),
        ("flag", {name: value for name, value in flags.items() if value is not None}),
    ]
    merged, origin = dict[str, Any](), dict.fromkeys(RunSettings.model_fields, "default")
    for place, values in sources:
        for name, value in values.items():
            if name not in RunSettings.model_fields:
                raise CliError(
                    f"{place}: {_unknown('setting', name, tuple(RunSettings.model_fields))}",
                    cure="praxis-evolve run --help lists the settings",
                    code=Code.STORE,
                )
            merged[name], origin[name] = value, place
    try:
        return Layered(RunSettings.model_validate(merged), origin)
    except ValidationError as error:
        raise _readable(error, origin) from None


def user_file() -> Path:
    """Return the path of the user's own settings."""
    return Path(platformdirs.user_config_dir("praxis-evolve")) / "config.toml"


def parse_amount(text: str) -> int:
    """Return the number, at least 1, in texts such as ``450``, ``50k``, ``5M``, ``4G``, ``64Ki``.

    Raises:
        ValueError: it is not such a text.
    """
    number = _number(text)
    amount = round(number) if math.isfinite(number) else 0
    if amount < 1:
        raise ValueError(f"{text!r} is not an amount; write 450, 50k, 5M, 4G, or 64Ki for 65,536")
    return amount


def memory_of(text: str, most: int) -> int:
    """Return the bytes in an amount, or in a part of *most* such as ``MAX/2`` or ``MAX*0.8-1G``.

    Raises:
        ValueError: it is neither, or less than a byte.
    """
    found = _OF_MAX.fullmatch(text.strip())
    if found is None:
        return parse_amount(text)
    sign, factor, less = found.groups()
    number = float(factor or 1)
    part = most if not number else most * number if sign == "*" else most / number
    amount = math.floor(part) - (parse_amount(less) if less else 0)
    if not number or amount < 1:
        raise ValueError(
            f"{text!r} of {most:,} bytes is no memory; write an amount, MAX/2 or MAX*0.8-1G"
        )
    return amount


def parse_limit(text: str) -> tuple[str, int]:
    """Return the short name and the amount of a limit such as ``params=5M``.

    Raises:
        ValueError: unknown name, not an amount, or more visits than a genome's text may have.
    """
    name, _, amount = text.partition("=")
    known, most = _known("limit", name, LIMITS), parse_amount(amount)
    if known == "visits" and most > MOST_VISITS:
        raise ValueError(f"a genome has at most {MOST_VISITS} visits, but {text!r} allows more")
    return known, most


def parse_reference(text: str) -> tuple[str, float]:
    """Return the short name and the value of a reference such as ``bpb=4.5`` or ``flops=2M``.

    Raises:
        ValueError: unknown name, or not a value above 0.
    """
    name, _, value = text.partition("=")
    found = _known("objective", name, tuple(OBJECTIVES)), _number(value)
    if not 0 < found[1] < math.inf:
        raise ValueError(f"{value!r} is not a value above 0; write bpb=4.5 or flops=2M")
    return found


def parse_prior(text: str) -> tuple[str, str, float]:
    """Return slot, value and strength of a prior such as ``mixer=retention`` or ``tied=True:-0.2``.

    Raises:
        ValueError: it is not such a text, or the strength is out of its range.
    """
    named, _, strength = text.partition(":")
    slot, _, value = (part.strip() for part in named.partition("="))
    if not slot or not value:
        raise ValueError(f"{text!r} is not a prior; write SLOT=VALUE or SLOT=VALUE:STRENGTH")
    found = _number(strength) if ":" in text else STRENGTH
    if not -STRONGEST <= found <= STRONGEST:
        raise ValueError(
            f"the strength {strength!r} is not a number from -{STRONGEST} to {STRONGEST}, which "
            "is what a trait is expected to add to a standing of 0 to 1"
        )
    return slot, value, found


def _number(text: str) -> float:
    """Return the number that a text with a suffix says, NaN where it says none."""
    text = text.strip()
    suffix = next((each for each in SUFFIXES if text.endswith(each)), "")
    try:
        return float(text.removesuffix(suffix)) * SUFFIXES.get(suffix, 1)
    except ValueError:
        return math.nan


def short_name(name: str) -> str:
    """Return the short name of an objective or a limit that is called by either."""
    return next((short for short, long in OBJECTIVES.items() if name == long), name)


def _known(kind: str, name: str, known: tuple[str, ...]) -> str:
    """Return the short name of one of *known*.

    Raises:
        ValueError: none of them is called so.
    """
    short = short_name(name.strip())
    if short not in known:
        raise ValueError(_unknown(kind, name, known))
    return short


def _refuse_twice(kind: str, names: Sequence[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"the {kind} {twice!r} is given twice; give each once")


def _environment() -> dict[str, str]:
    """The settings given as PRAXIS_NAME; other variables with that prefix are not settings."""
    names = {f"{ENVIRONMENT}{name.upper()}": name for name in RunSettings.model_fields}
    return {name: os.environ[key] for key, name in names.items() if key in os.environ}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CliError(
            f"{path} cannot be read as TOML",
            why=str(error),
            cure="correct the file or move it away",
            code=Code.STORE,
        ) from error


def _unknown(kind: str, name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    return f"no {kind} is called {name!r}; {hint}"


def _readable(error: ValidationError, origin: Mapping[str, str]) -> CliError:
    first = error.errors()[0]
    name = str(first["loc"][0])
    given, value = origin.get(name, ""), first["input"]
    if isinstance(value, list | tuple):
        value = ",".join(map(str, cast("Sequence[object]", value)))
    flag = f"--{name.replace('_', '-')}" if given == "flag" else f"{name} ({given})"
    return CliError(
        f"{flag} is {value!r}",
        why=first["msg"].removeprefix("Value error, "),
        cure="praxis-evolve run --help lists the settings with their ranges",
        code=Code.USAGE if given == "flag" else Code.STORE,
    )
