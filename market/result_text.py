"""Results as plain data and back: what was found (content) apart from how fast (measured)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast, get_args

from ..evaluator.result import Failure, Measurement, Result
from ..genome.cost import Costs
from . import canonical, fields
from .errors import RecordError

CURVE = 32
"""The most points of a curve."""

REASON = 800
"""The most bytes of a reason in JSON."""

DEVICE = 80
"""The most bytes of a device's name in JSON."""

SEED = 2**64 - 1

_CONTENT = (
    "genome", "architecture", "rung", "replica", "seed", "bits_per_byte", "test_bits_per_byte",
    "curve", "costs", "failure", "reason", "inherited_tokens",
)  # fmt: skip
_COSTS = ("parameters", "flops", "active_flops", "carry_bytes")
_MEASURED = ("seconds", "gate_seconds", "tokens_per_second", "peak_memory_bytes", "device")


def content_of(result: Result) -> dict[str, object]:
    """Return what was found, the same for everyone who does the same evaluation."""
    costs = result.costs
    return {
        "genome": result.genome,
        "architecture": result.architecture,
        "rung": result.rung,
        "replica": result.replica,
        "seed": result.seed,
        "bits_per_byte": _float(result.bits_per_byte),
        "test_bits_per_byte": _float(result.test_bits_per_byte),
        "curve": [[tokens, float(bits)] for tokens, bits in result.curve],
        "costs": costs and {
            "parameters": costs.parameters,
            "flops": float(costs.flops),
            "active_flops": float(costs.active_flops),
            "carry_bytes": float(costs.carry_bytes),
        },
        "failure": result.failure,
        "reason": _shortened(result.reason, REASON),
        "inherited_tokens": result.inherited_tokens,
        **({"parent": result.parent} if result.parent else {}),
        **({"heritage": result.heritage} if result.heritage else {}),
    }  # fmt: skip


def measured_of(result: Result) -> dict[str, object]:
    """Return what the machine added: time, speed, memory, device."""
    measured = result.measured
    return {
        "seconds": float(measured.seconds),
        "gate_seconds": float(measured.gate_seconds),
        "tokens_per_second": float(measured.tokens_per_second),
        "peak_memory_bytes": measured.peak_memory_bytes,
        "device": _shortened(measured.device, DEVICE),
        **({"weights": measured.weights} if measured.weights else {}),
    }


def parsed_result(content: object, measured: object) -> Result:
    """Return the result with this content and these measurements.

    Raises:
        RecordError: a field is missing, unknown, of the wrong type or out of bounds, or there is a
            fitness beside a failure or neither.
    """
    found = fields.mapping(content, "content", _CONTENT, may=("parent", "heritage"))
    result = Result(
        genome=fields.hexadecimal(found["genome"], "genome", 64),
        architecture=fields.hexadecimal(found["architecture"], "architecture", 64),
        rung=fields.whole(found["rung"], "rung"),
        replica=fields.whole(found["replica"], "replica", 2**31 - 1, least=-(2**31)),
        seed=fields.whole(found["seed"], "seed", SEED),
        bits_per_byte=_optional(found["bits_per_byte"], "bits_per_byte"),
        test_bits_per_byte=_optional(found["test_bits_per_byte"], "test_bits_per_byte"),
        curve=_curve(found["curve"]),
        costs=_costs(found["costs"]),
        failure=_failure(found["failure"]),
        reason=_short(found["reason"], "reason", REASON),
        inherited_tokens=fields.whole(found["inherited_tokens"], "inherited_tokens"),
        parent=_named(found, "parent"),
        heritage=_named(found, "heritage"),
        measured=_measurement(measured),
    )
    _refuse_contradiction(result)
    return result


def _shortened(text: str, most: int) -> str:
    """Cut a long text, such as a whole traceback, so that the record stays below its limit."""
    if text.isascii() and 6 * len(text) + 2 <= most:  # JSON writes no character longer
        return text
    clean = text.encode(errors="replace").decode()
    if len(clean) <= most and len(canonical.encode(clean)) <= most:
        return clean
    clean = clean[:most]
    while len(canonical.encode(f"{clean}...")) > most:
        clean = clean[: len(clean) * 9 // 10]
    return f"{clean}..."


def _refuse_contradiction(result: Result) -> None:
    if result.ok == (result.bits_per_byte is None):
        raise RecordError(
            "a result has either bits_per_byte or a failure, but this one has "
            f"bits_per_byte {result.bits_per_byte} and failure {result.failure!r}"
        )
    if result.ok and result.reason:
        raise RecordError(
            f"only a failure has a reason, but this one says {fields.shown(result.reason)}"
        )
    if result.heritage and not result.parent:
        raise RecordError(
            f"only who has a parent has a heritage, but this one has {result.heritage[:12]}..."
        )


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _optional(value: object, name: str) -> float | None:
    return None if value is None else fields.number(value, name)


def _curve(value: object) -> tuple[tuple[int, float], ...]:
    return tuple(_point(point) for point in fields.sequence(value, "curve", CURVE))


def _point(value: object) -> tuple[int, float]:
    pair = fields.sequence(value, "a point of the curve", 2)
    if len(pair) != 2:
        raise RecordError(
            f"a point of the curve is (tokens, bits per byte), but one is {fields.shown(value)}"
        )
    return (
        fields.whole(pair[0], "tokens of the curve"),
        fields.number(pair[1], "bits of the curve"),
    )


def _costs(value: object) -> Costs | None:
    if value is None:
        return None
    found = fields.mapping(value, "costs", _COSTS)
    return Costs(
        parameters=fields.whole(found["parameters"], "parameters"),
        flops=fields.number(found["flops"], "flops"),
        active_flops=fields.number(found["active_flops"], "active_flops"),
        carry_bytes=fields.number(found["carry_bytes"], "carry_bytes"),
    )


def _failure(value: object) -> Failure | None:
    if value is None or value in get_args(Failure):
        return cast("Failure | None", value)
    raise RecordError(
        f"failure must be None or one of {list(get_args(Failure))}, but is {fields.shown(value)}"
    )


def _short(value: object, name: str, most: int) -> str:
    short = fields.text(value, name, most)
    if _shortened(short, most) != short:
        raise RecordError(f"{name} must be a text of at most {most} bytes in JSON")
    return short


def _measurement(value: object) -> Measurement:
    found = fields.mapping(value, "measured", _MEASURED, may=("weights",))
    return Measurement(
        seconds=fields.number(found["seconds"], "seconds"),
        gate_seconds=fields.number(found["gate_seconds"], "gate_seconds"),
        tokens_per_second=fields.number(found["tokens_per_second"], "tokens_per_second"),
        peak_memory_bytes=fields.whole(found["peak_memory_bytes"], "peak_memory_bytes"),
        device=_short(found["device"], "device", DEVICE),
        weights=_named(found, "weights"),
    )


def _named(found: Mapping[str, object], name: str) -> str:
    """Return a SHA-256 that is left out where there is none."""
    return fields.hexadecimal(found[name], name, 64) if name in found else ""
