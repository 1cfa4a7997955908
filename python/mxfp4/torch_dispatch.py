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

Maybe = torch.Tensor | None
_PLAIN = frozenset({torch.Tensor, torch.nn.Parameter, type(None)})
_LISTENING: tuple[Callable[[], Any], ...] = (
    _len_torch_dispatch_stack,
    # Modes of make_fx(pre_dispatch=True) and of exporters, which are on another stack.
    getattr(torch._ops, "_len_torch_dispatch_stack_pre_dispatch", lambda: 0),
    _is_torch_function_mode_enabled,
    _get_tracing_state,  # of torch.jit.trace
    # Transforms of torch.func, such as vmap, whose wrappers are of type Tensor and have no memory.
    _functorch.peek_interpreter_stack,
)
"""Each tells whether something sees or changes calls of operators: 0, False or None if not."""


def _is_on_cuda(tensor: Maybe) -> bool:
    return tensor is not None and tensor.is_cuda


def _is_recorded(tensors: tuple[Maybe, ...]) -> bool:
    """Whether torch records a call for a gradient."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


def is_plain(*tensors: Maybe) -> bool:
    """Whether a call is neither traced, transformed nor recorded for a gradient, and is on CUDA."""
    if torch.compiler.is_compiling() or not _is_on_cuda(tensors[0]) or _is_recorded(tensors):
        return False
    for listens in _LISTENING:
        if listens():
            return False
    return _PLAIN.issuperset(map(type, tensors))


class _Recorded(torch.autograd.Function):
    """A recorded call. Asking for its gradient is an error."""

    @staticmethod
    def forward(ctx: Any, call: Any, refuse: Any, *tensors: Maybe) -> Any:
        """The call's result."""
        ctx.refuse = refuse
        return call(*tensors)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        """Never returns."""
        ctx.refuse(ctx, gradient)


def autograd_of(
    operator: Any, cuda: Callable[..., Any], refuse: Callable[[Any, Any], NoReturn]
) -> Callable[..., Any]:
    """The kernel of an operator that is dispatched to first on CUDA.

    Args:
        operator: the operator.
        cuda: its kernel for CUDA, which plain calls are passed to at once.
        refuse: raises, since the operator has no gradient.
    """

    def below(*tensors: Maybe, **options: Any) -> Any:
        with torch._C._AutoDispatchBelowAutograd():
            return operator(*tensors, **options)

    def kernel(*tensors: Maybe, **options: Any) -> Any:
        if is_plain(*tensors):
            return cuda(*tensors, **options)
        call = partial(below, **options)
        if _is_recorded(tensors):
            return _Recorded.apply(call, refuse, *tensors)
        return call(*tensors)

    return kernel
