# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls of operators of ours that spare the host a trip through torch's dispatcher.

An operator in Python is dispatched to twice on CUDA: first for gradients, then for the device. Each
trip takes as long on the host as two launches, and a call that nothing traces or records needs at
most one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import torch
from torch._C import (
    _functorch,
    _get_tracing_state,
    _is_torch_function_mode_enabled,
    _len_torch_dispatch_stack,
)
from torch.autograd import forward_ad

from .errors import Error

Maybe = torch.Tensor | None


def _has_level() -> bool:
    """Whether tensors may have tangents; where torch does not tell, each tensor is asked."""
    return bool(getattr(forward_ad, "_current_level", 0) >= 0)


_PLAIN = frozenset({torch.Tensor, torch.nn.Parameter, type(None)})
_LISTENING: tuple[Callable[[], Any], ...] = (
    _len_torch_dispatch_stack,
    # Modes of make_fx(pre_dispatch=True) and of exporters, which are on another stack.
    getattr(torch._ops, "_len_torch_dispatch_stack_pre_dispatch", lambda: 0),
    _is_torch_function_mode_enabled,
    _get_tracing_state,  # of torch.jit.trace
    # Transforms of torch.func, such as vmap, whose wrappers are of type Tensor and have no memory.
    _functorch.peek_interpreter_stack,
    _has_level,
)
"""Each tells whether something sees or changes calls of operators: 0, False or None if not."""


def _is_on_cuda(tensor: Maybe) -> bool:
    return tensor is not None and tensor.is_cuda


def _is_recorded(tensors: tuple[Maybe, ...]) -> bool:
    """Whether torch records a call for a gradient."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


def _has_tangent(tensors: tuple[Maybe, ...]) -> bool:
    """Whether torch differentiates a call forwards, which `torch.no_grad` does not stop."""
    return _has_level() and any(
        t is not None and t.is_floating_point() and forward_ad.unpack_dual(t).tangent is not None
        for t in tensors
    )


def is_plain(*tensors: Maybe) -> bool:
    """Whether a call is neither traced, transformed nor recorded for a gradient, and is on CUDA."""
    if torch.compiler.is_compiling() or not _is_on_cuda(tensors[0]) or _is_recorded(tensors):
        return False
    for listens in _LISTENING:
        if listens():
            return False
    return _PLAIN.issuperset(map(type, tensors))


def _no_gradient(name: str) -> NoReturn:
    raise Error(
        f"{name} has no gradient: it is for inference, and packed weights cannot be trained. Call "
        "it under torch.no_grad()."
    )


def _refuse_other_layouts(name: str, tensors: tuple[Maybe, ...]) -> None:
    """Refuse tensors without a number in memory for each element, of which torch says more."""
    for t in tensors:
        if t is not None and (t.layout != torch.strided or t.is_nested):
            kind = "nested" if t.is_nested else f"of layout {t.layout}"
            raise Error(
                f"{name} takes dense tensors, got one that is {kind}; pass what to_dense() or, of "
                "a nested tensor, values() gives."
            )


def refuse_tangents(name: str, *tensors: Maybe) -> None:
    """Refuse a call whose result should have a tangent and would have none.

    Raises:
        Error: if a tensor has one.
    """
    if _has_tangent(tensors):
        raise Error(
            f"{name} has no derivative, forwards no more than backwards: it is for inference. Pass "
            "the primals of dual tensors (torch.autograd.forward_ad.unpack_dual(x).primal), and "
            "leave the call out of torch.func.jvp."
        )


def refuse_derivatives(name: str, *tensors: Maybe) -> None:
    """Refuse a call that torch's autograd would not see, though it should.

    Raises:
        Error: if its result should have a gradient or a tangent.
    """
    refuse_tangents(name, *tensors)
    if _is_recorded(tensors):
        _no_gradient(name)


class _Recorded(torch.autograd.Function):
    """A recorded call. Asking for its gradient is an error."""

    @staticmethod
    def forward(ctx: Any, call: Any, name: str, *tensors: Maybe) -> Any:
        """The call's result."""
        ctx.name = name
        return call(*tensors)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        """Never returns."""
        _no_gradient(ctx.name)


def autograd_of(operator: Any, cuda: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The kernel of an operator that is dispatched to first, on each device.

    A result of what is recorded is an error only once its gradient is asked for, because programs
    for inference often forget torch.no_grad(). A transform of torch.func asks for nothing else, and
    a missing tangent would be taken for 0: both are errors at once.

    Args:
        operator: the operator.
        cuda: its kernel for CUDA, which plain calls are passed to at once.
        name: of what a user calls, for messages.
    """

    def below(*tensors: Maybe, **options: Any) -> Any:
        with torch._C._AutoDispatchBelowAutograd():
            return operator(*tensors, **options)

    def kernel(*tensors: Maybe, **options: Any) -> Any:
        if is_plain(*tensors):
            return cuda(*tensors, **options)
        _refuse_other_layouts(name, tensors)
        refuse_tangents(name, *tensors)
        call = partial(below, **options)
        if not _is_recorded(tensors):
            return call(*tensors)
        if _functorch.peek_interpreter_stack():
            _no_gradient(name)
        return _Recorded.apply(call, name, *tensors)

    return kernel
