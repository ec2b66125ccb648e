"""Which test files prove an entry of the catalog: a rule that reads them, and no list by hand."""

from __future__ import annotations

import re
from pathlib import Path

from ..blocks.declaration import Declaration

TESTS = Path(__file__).parents[1] / "tests" / "blocks"
"""Where the tests of blocks are, in a checkout."""


def identity_tests(found: Declaration, tests: Path = TESTS) -> list[str]:
    """Return the files ``test_<folder>_*.py`` that say the entry's class, or its name in quotes.

    The folder is that of the class in ``blocks/``. Files are named without ``test_`` and ``.py``.
    """
    module, _, class_name = found.path.partition(":")
    said = re.compile(rf'\b{class_name}\b|"{found.name}"')
    files = sorted(tests.glob(f"test_{module.split('.')[-2]}_*.py"))
    return [path.stem[5:] for path in files if said.search(path.read_text(encoding="utf-8"))]
