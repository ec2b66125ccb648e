"""Makers: who offers the things of the catalog, by the metadata of the distributions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from importlib.metadata import Distribution

from .. import __version__
from .registry import OWN, third_party

LENGTH = 80
"""The most characters of a name that are shown."""


@dataclass(frozen=True, order=True)
class Maker:
    """Who offers a thing: a distribution in a version, and whom it names as its author."""

    author: str
    distribution: str
    version: str


OURS = Maker("praxis-evolve", "praxis-evolve", __version__)


def makers() -> Mapping[str, Maker]:
    """Return the maker of everything that is installed, by name.

    Raises:
        CatalogError: an entry point names something that is no declaration.
    """
    own = {declaration.name: OURS for declaration in OWN}
    return own | {d.name: _maker(entry.dist, d.path) for entry, d in third_party()}


def _maker(found: Distribution | None, path: str) -> Maker:
    """Return the maker of a distribution, or of a *path* that belongs to none."""
    if found is None:
        package = path.partition(".")[0]
        return Maker(package, package, "")
    fields = {key: str(value) for key, value in found.metadata.json.items()}
    name, version = _clean(fields["name"]), _clean(fields["version"])
    person = fields.get("author") or parseaddr(fields.get("author_email", ""))[0]
    return Maker(_clean(person) or name, name, version)


def _clean(text: str) -> str:
    """Return a stranger's text in one short line of characters that print."""
    return "".join(each for each in " ".join(text.split()) if each.isprintable())[:LENGTH]
