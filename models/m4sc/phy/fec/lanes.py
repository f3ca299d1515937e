"""Arithmetic of bytes as the processor has it: Numba widens bytes to 64 bits, which LLVM cannot undo.

Each of these is one instruction of LLVM on two bytes, and 32 bytes at a time once it has vectorised the loop.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.extending import intrinsic


def _of_llvm(name: str) -> Any:
    """LLVM's intrinsic of two integers of one type."""

    @intrinsic  # type: ignore[misc]
    def call(context: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = args[0].type
            known = builder.module.globals.get(f"{name}.{kind}")
            function = known or ir.Function(
                builder.module, ir.FunctionType(kind, [kind, kind]), f"{name}.{kind}"
            )
            return builder.call(function, args)

        return a(a, a), generate

    return call


saturated_difference = _of_llvm("llvm.ssub.sat")
saturated_sum = _of_llvm("llvm.sadd.sat")
smaller = _of_llvm("llvm.smin")
larger = _of_llvm("llvm.smax")


@intrinsic  # type: ignore[misc]
def exclusive_or(context: Any, a: Any, b: Any) -> Any:
    """a ^ b."""
    return a(a, a), lambda context, builder, signature, args: builder.xor(*args)


@intrinsic  # type: ignore[misc]
def with_sign(context: Any, value: Any, sign: Any) -> Any:
    """-value where sign < 0, else value."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = args[0].type
        mask = builder.ashr(args[1], ir.Constant(kind, kind.width - 1))
        return builder.sub(builder.xor(args[0], mask), mask)

    return value(value, value), generate


@intrinsic  # type: ignore[misc]
def where_equal(context: Any, a: Any, b: Any, then: Any, otherwise: Any) -> Any:
    """then where a == b, else otherwise."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.icmp_signed("==", args[0], args[1]), args[2], args[3])

    return then(then, then, then, then), generate
