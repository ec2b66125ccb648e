"""Messages: mappings in canonical JSON, as a stranger may send them."""

from __future__ import annotations

from collections.abc import Sequence

from .. import canonical, fields
from ..errors import RecordError


def read(
    data: bytes, names: Sequence[str], *, limit: int, name: str = "a message"
) -> dict[str, object]:
    """Return the fields of a message, which has just these; *name* is what an error calls it.

    Raises:
        RecordError: it is none, or longer than *limit* bytes.
    """
    try:
        found = canonical.decode(data, limit=limit)
    except ValueError as error:
        raise RecordError(f"{name} {error}") from None
    return fields.mapping(found, name, names)
