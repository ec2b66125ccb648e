"""Imports point one way, heavy libraries stay where they belong, and the package list is whole."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("blocks", "genome", "evaluator", "search", "market", "reports", "cli")
ASIDE = ("tests", "typings", "benchmarks", "examples", "docs", "build", "dist")
TORCH = (
    "blocks/",
    "genome/build.py",
    "genome/feedback.py",
    "genome/inherit.py",
    "genome/leaving.py",
    "genome/merge.py",
    "genome/model.py",
    "genome/visiting.py",
    "evaluator/",
)
OPTUNA = (
    "search/history.py",
    "search/importances.py",
    "search/optuna_search.py",
    "search/optuna_study.py",
)
TORCH_FREE_BLOCKS = ("ranges.py", "declaration.py", "registry.py", "catalog.py", "__init__.py")


def sources() -> list[Path]:
    return sorted(
        path
        for path in ROOT.rglob("*.py")
        if not path.relative_to(ROOT).parts[0].startswith(".")
        and path.relative_to(ROOT).parts[0] not in ASIDE
    )


def imports(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield what a file of the package imports, as parts below the package, or outside it."""
    package = ("praxis_evolve", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (tuple(name.name.split(".")) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = tuple(node.module.split(".")) if node.module else ()
            yield from ((*base, *module, name.name) for name in node.names)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_left(path: Path) -> None:
    part = path.relative_to(ROOT).parts[0]
    if part not in LAYERS:
        return
    for target in imports(path):
        if target[0] == "praxis_evolve" and len(target) > 1 and target[1] in LAYERS:
            assert LAYERS.index(target[1]) <= LAYERS.index(part), f"{path} imports {target}"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_torch_is_imported_only_where_models_live(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    allowed = name.startswith(TORCH) and not (
        name.startswith("blocks/") and path.name in TORCH_FREE_BLOCKS
    )
    if name.startswith("cli/") or allowed:
        return
    assert not any(target[0] == "torch" for target in imports(path)), f"{name} imports torch"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_hivemind_is_behind_one_gate(path: Path) -> None:
    if str(path.relative_to(ROOT)) != "market/swarm/hive.py":
        assert not any(target[0] == "hivemind" for target in imports(path))


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_other_searches_are_imported_only_where_they_are_wrapped(path: Path) -> None:
    wrapped = {"optuna": OPTUNA, "deap": ("search/deap_nsga.py",)}
    name = str(path.relative_to(ROOT))
    for target in imports(path):
        assert name in wrapped.get(target[0], (name,)), f"{name} imports {target[0]}"


def test_every_folder_with_sources_is_packaged() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])
    folders = {path.parent.relative_to(ROOT).parts for path in sources()}
    assert listed == {".".join(("praxis_evolve", *folder)) for folder in folders}
