# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``torch.ops.mxfp4.grouped_matmul``, and a module around it.

The operator is what `mxfp4.grouped_matmul` calls on torch tensors: an opaque operator to
``torch.compile``, with shapes known to its tracer. On CUDA it launches a kernel on the current
stream and does nothing else, so it can be captured in a CUDA graph once its kernel is loaded
(`mxfp4.prepare`); on the CPU it runs the executable specification.

Importing this module imports torch and registers the operator.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import torch

from . import ops, torch_state
from ._typed import typed
from .errors import Error
from .formats import bfloat16
from .kernels import kernel_for
from .layout import FOLDED_MAX, Layout
from .problem import Problem, check_accumulation
from .runtime import Kernel
from .torch_dispatch import autograd_of, is_plain
from .weights import PackedWeights, Proof

_OUTPUT = {torch.bfloat16: "bf16", torch.float32: "f32"}
DTYPES = {name: dtype for dtype, name in _OUTPUT.items()}
"""Of outputs, by our names."""

_library = torch.library.Library("mxfp4", "DEF")
_library.define(
    "grouped_matmul(Tensor x, Tensor weights, Tensor offsets, Tensor? expert_ids=None, *, int n, "
    "str order, str scales, ScalarType? out_dtype=None, bool batch_invariant=False) -> Tensor",
    tags=(torch.Tag.pt2_compliant_tag, torch.Tag.needs_fixed_stride_order),
)


def refuse_sparse(x: torch.Tensor) -> None:
    """Refuse a tensor without memory for each element, of which torch's dispatcher says more.

    Raises:
        Error: if it is one.
    """
    if x.layout != torch.strided:
        raise Error(f"x must be dense, got layout {x.layout}; pass x.to_dense().")


_OTHERS = (type(None), np.ndarray, np.generic, list, tuple, int, float)


def _refuse_others(**given: Any) -> None:
    """Refuse what is no tensor; what a tracer has in place of a tensor is one.

    Raises:
        Error: if something is a number, an array or a list.
    """
    for name, value in given.items():
        if isinstance(value, _OTHERS):
            raise Error(
                f"{name} must be a torch tensor, got {type(value).__name__}; use "
                f"torch.as_tensor({name})."
            )


def grouped_matmul(
    x: torch.Tensor,
    weights: PackedWeights,
    offsets: torch.Tensor,
    expert_ids: torch.Tensor | None = None,
    out_dtype: str = "bf16",
    batch_invariant: bool = False,
) -> torch.Tensor:
    """`mxfp4.grouped_matmul` on torch tensors, of which ``weights.data`` is one, on one device.

    Raises:
        Error: if an argument does not fit, or if no kernel is there and none can be compiled.
    """
    data, layout = weights.data, weights.layout
    if not isinstance(data, torch.Tensor):
        raise Error("x is a torch tensor, but the weights are not; use weights.to_device(device).")
    refuse_sparse(x)
    for name, indices in (("offsets", offsets), ("expert_ids", expert_ids)):
        if indices is not None and not isinstance(indices, torch.Tensor):
            raise Error(
                f"{name} must be a torch tensor, as x is, got {type(indices).__name__}; use "
                f"torch.as_tensor({name}, dtype=torch.int32, device=x.device)."
            )
    call = _cuda if is_plain(x, data, offsets, expert_ids) else _operator
    return call(
        x, data, offsets, expert_ids,
        n=weights.n, order=layout.order, scales=layout.scales, out_dtype=DTYPES[out_dtype],
        batch_invariant=batch_invariant,
    )  # fmt: skip


@cache
def _problem(
    experts: int, n: int, k: int, groups: int | None, order: str, scales: str, output: str,
    batch_invariant: bool,
) -> tuple[Problem, Proof]:  # fmt: skip
    """A problem, and what its layout says of any weights packed in it."""
    layout = Layout(order, scales)
    folded = layout.scales == "folded"
    proof = Proof(0, FOLDED_MAX if folded else 255, not folded)
    return Problem(experts, n, k, groups, layout, output, groups is not None,
                   batch_invariant=batch_invariant), proof  # fmt: skip


@cache
def _packed_shape(order: str, scales: str, n: int, k: int) -> list[int]:
    """Of one expert; raises for names of layouts that there are not."""
    return list(Layout(order, scales).shape(n, k))


def _check_indices(name: str, tensor: torch.Tensor, entries: int) -> None:
    if tensor.dtype != torch.int32 or tensor.dim() != 1 or tensor.shape[0] != entries:
        raise Error(f"{name} must be int32 [{entries}], got {tensor.dtype} {list(tensor.shape)}.")


def _check(
    x: torch.Tensor, weights: torch.Tensor, offsets: torch.Tensor,
    expert_ids: torch.Tensor | None = None, *, n: int, order: str, scales: str,
    out_dtype: torch.dtype | None = None, batch_invariant: bool = False,
) -> torch.dtype:  # fmt: skip
    """Check the arguments as far as that needs no values; the output's dtype.

    The numbers of rows and of groups may be symbols of a tracer: they are compared and never made
    numbers, so that what is traced holds for all of them.
    """
    dtype = torch.bfloat16 if out_dtype is None else out_dtype
    if dtype not in _OUTPUT:
        raise Error(f"the output dtype must be bfloat16 or float32, got {dtype}.")
    if x.dtype != torch.bfloat16 or x.dim() != 2:
        raise Error(f"x must be bfloat16 [R, K], got {x.dtype} {list(x.shape)}.")
    k = int(x.shape[1])
    shape = _packed_shape(order, scales, n, k)
    if weights.dtype != torch.uint8 or weights.dim() != 4 or list(weights.shape[1:]) != shape:
        raise Error(
            f"packed weights of N = {n}, for x with K = {k}, must be uint8 "
            f"[E, {', '.join(map(str, shape))}], got {weights.dtype} {list(weights.shape)}."
        )
    groups = weights.shape[0]
    if expert_ids is not None:
        groups = expert_ids.numel()
        _check_indices("expert_ids", expert_ids, groups)
    _check_indices("offsets", offsets, groups + 1)
    named = {"weights": weights, "offsets": offsets, "expert_ids": expert_ids}
    for name, tensor in named.items():
        if tensor is not None and tensor.device != x.device:
            raise Error(f"{name} must be on {x.device}, where x is, got {tensor.device}.")
    return dtype


class _Call:
    """The arguments of a call that will run: their problem, and the weights with their layout."""

    def __init__(
        self, x: torch.Tensor, weights: torch.Tensor, offsets: torch.Tensor,
        expert_ids: torch.Tensor | None = None, *, n: int, order: str, scales: str,
        out_dtype: torch.dtype | None = None, batch_invariant: bool = False,
    ) -> None:  # fmt: skip
        self.dtype = _check(x, weights, offsets, expert_ids, n=n, order=order, scales=scales,
                            out_dtype=out_dtype)  # fmt: skip
        self.x, self.offsets, self.expert_ids = x, offsets, expert_ids
        groups = None if expert_ids is None else expert_ids.numel()
        k, output = x.shape[1], _OUTPUT[self.dtype]
        self.problem, proof = _problem(
            weights.shape[0], n, k, groups, order, scales, output, batch_invariant
        )
        self.weights = PackedWeights(weights, n, k, self.problem.layout, proof)


def _fake(x: torch.Tensor, *arguments: Any, n: int, **options: Any) -> torch.Tensor:
    dtype = _check(x, *arguments, n=n, **options)
    return x.new_empty((x.shape[0], n), dtype=dtype)


_ready: dict[tuple[Any, ...], Kernel] = {}
"""Kernels of calls that were checked."""
_MOST_READY = 4096


def _cuda(
    x: torch.Tensor, weights: torch.Tensor, offsets: torch.Tensor,
    expert_ids: torch.Tensor | None = None, *, n: int, order: str, scales: str,
    out_dtype: torch.dtype | None = None, batch_invariant: bool = False,
) -> torch.Tensor:  # fmt: skip
    # What chooses the kernel; it knows which other tensors fit.
    ids = None if expert_ids is None else expert_ids.shape
    key = (x.shape, x.device, weights.shape, ids, n, order, scales, out_dtype, batch_invariant)
    operands = {} if expert_ids is None else {"expert_ids": expert_ids}
    kernel = _ready.get(key)
    if kernel is not None:
        y = kernel.run_known(x, weights, offsets, None, None, operands)
        if y is not None:
            return y
    call = _Call(x, weights, offsets, expert_ids, n=n, order=order, scales=scales,
                 out_dtype=out_dtype, batch_invariant=batch_invariant)  # fmt: skip
    rows = x.shape[0]
    if not rows:  # no kernel is needed, nor compiled
        return x.new_empty((0, n), dtype=call.dtype)
    if call.problem.groups == 0:
        raise Error(f"there are no groups, so x must have no rows, got {rows}.")
    kernel = kernel_for(call.problem, rows, x.device.index)
    y = kernel(x, call.weights, offsets, expert_ids=expert_ids)
    if len(_ready) >= _MOST_READY:
        _ready.clear()
    _ready[key] = kernel
    return y


def _cpu(*arguments: Any, **options: Any) -> torch.Tensor:
    call = _Call(*arguments, **options)
    ids = None if call.expert_ids is None else to_numpy(call.expert_ids)
    weights = dataclasses.replace(call.weights, data=to_numpy(call.weights.data))
    return from_numpy(
        ops.on_cpu(call.problem, to_numpy(call.x), weights, to_numpy(call.offsets), ids)
    )


torch.library.register_fake("mxfp4::grouped_matmul", _fake, lib=_library)
_library.impl("grouped_matmul", _cuda, "CUDA")
_library.impl("grouped_matmul", _cpu, "CPU")
# Looking the overload up at each call would cost microseconds.
_operator = torch.ops.mxfp4.grouped_matmul.default
_library.impl("grouped_matmul", autograd_of(_operator, _cuda, "mxfp4.grouped_matmul"), "Autograd")


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """A CPU tensor as an array that shares its memory if it is dense; bf16 is ml_dtypes'."""
    dense = tensor.detach().contiguous()
    if dense.dtype == torch.bfloat16:
        return dense.view(torch.int16).numpy().view(bfloat16)
    return dense.numpy()


def from_numpy(array: np.ndarray) -> torch.Tensor:
    """An array as a CPU tensor that shares its memory; the inverse of `to_numpy`."""
    if array.dtype == bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _as_torch(array: Any) -> torch.Tensor:
    return array if isinstance(array, torch.Tensor) else torch.from_numpy(np.array(array))


class GroupedLinear(torch.nn.Module):
    """``y[r] = x[r] W[e(r)]^T`` with packed weights ``[E, N, K]`` that know their layout.

    The packed bytes are a buffer, so they move with the module and are in its state, together with
    what says what they mean: a state of other weights or another layout is refused. Weights packed
    for activations in FP8 have their powers as another buffer.

    Args:
        weights: packed.
        accumulation: how sums of FP8 products are taken; a choice for no other weights.
        batch_invariant: as in `mxfp4.grouped_matmul`.

    Raises:
        Error: if there is no such accumulation, or the weights are for activations in bf16 and it
            is not the default.
    """

    packed: torch.Tensor
    powers: torch.Tensor | None

    @typed
    def __init__(
        self,
        weights: PackedWeights,
        accumulation: str = "promoted512",
        batch_invariant: bool = False,
    ) -> None:
        super().__init__()
        check_accumulation(accumulation, weights.layout)
        self.register_buffer("packed", _as_torch(weights.data))
        powers = None if weights.powers is None else _as_torch(weights.powers)
        self.register_buffer("powers", powers)
        self.n, self.k, self.accumulation = weights.n, weights.k, accumulation
        self.batch_invariant = batch_invariant
        self.layout, self.proof, self.rows = weights.layout, weights.proof, weights.rows
        self.register_load_state_dict_pre_hook(_check_state)

    @property
    def weights(self) -> PackedWeights:
        """The weights, where the module is."""
        return PackedWeights(
            self.packed, self.n, self.k, self.layout, self.proof, self.rows, self.powers
        )

    def forward(
        self, x: torch.Tensor, offsets: torch.Tensor, expert_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        """bf16 ``[R, K]`` to bf16 ``[R, N]``; arguments as `mxfp4.grouped_matmul`."""
        ids = {} if expert_ids is None else {"expert_ids": expert_ids}
        _refuse_others(x=x, offsets=offsets, **ids)
        if self.powers is not None:
            from . import torch_fp8  # imports this module

            return torch_fp8._operator(
                x, self.packed, self.powers, offsets, expert_ids,
                n=self.n, accumulation=self.accumulation, batch_invariant=self.batch_invariant,
            )  # fmt: skip
        return _operator(
            x, self.packed, offsets, expert_ids,
            n=self.n, order=self.layout.order, scales=self.layout.scales,
            batch_invariant=self.batch_invariant,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Shape and layout."""
        sums = "" if self.powers is None else f", {self.accumulation}"
        sums += ", batch_invariant" if self.batch_invariant else ""
        return f"E={self.packed.shape[0]}, N={self.n}, K={self.k}, {self.layout}{sums}"

    def _apply(self, fn: Any, recurse: bool = True) -> GroupedLinear:
        """Moves the module; powers stay f32 where other numbers are rounded."""
        before = self.powers
        super()._apply(fn, recurse)
        if before is not None and self.powers is not None and self.powers.dtype != before.dtype:
            self.powers = before.to(self.powers.device)
        return self

    def get_extra_state(self) -> torch.Tensor:
        """What the packed bytes mean, as a tensor, since safetensors stores nothing else."""
        return torch_state.encode(self.weights)

    def set_extra_state(self, state: Any) -> None:
        """Take over the proof of a state's weights, which were found to be in this layout."""
        self.proof = torch_state.decode(state, "_extra_state").proof


def _check_state(module: GroupedLinear, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Before anything is copied: is a state's weights' meaning this module's?

    Raises:
        Error: if it is not.
    """
    name = f"{prefix}packed"
    if name not in state:
        return
    theirs, mine = state[name], module.packed
    if (theirs.dtype, theirs.shape) != (mine.dtype, mine.shape):
        raise Error(
            f"the state's {name} is {theirs.dtype} {list(theirs.shape)}, but this module's is "
            f"{mine.dtype} {list(mine.shape)}; make the module from weights packed like those."
        )
    key = f"{prefix}_extra_state"
    if key not in state:
        raise Error(
            f"the state has {name}, but no {key}, which says what these bytes mean; save "
            "all of the module's state_dict()."
        )
    torch_state.decode(state[key], key).refuse_other(module.weights, name)
