# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``torch.ops.mxfp4.grouped_matmul_fp8``: activations are rounded to FP8 in front of the matmul.

On CUDA it launches two kernels on the current stream, ``quantize_rows`` and the matmul; on the CPU
it is the definition, with exact sums (`fp8_reference`). Importing this module imports torch and
registers the operator.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from . import fp8_reference
from .errors import Error
from .fp8_kernels import quantizer
from .kernels import kernel_for
from .layout import FP8
from .problem import Problem, check_accumulation
from .runtime import _current_stream
from .torch_dispatch import autograd_of
from .torch_op import _OUTPUT, DTYPES, _check, from_numpy, refuse_sparse, to_numpy
from .weights import PackedWeights, Proof

_library = torch.library.Library("mxfp4", "FRAGMENT")
_library.define(
    "grouped_matmul_fp8(Tensor x, Tensor weights, Tensor powers, Tensor offsets, "
    'Tensor? expert_ids=None, *, int n, str accumulation="promoted512", '
    "ScalarType? out_dtype=None, bool batch_invariant=False) -> Tensor",
    tags=(torch.Tag.pt2_compliant_tag, torch.Tag.needs_fixed_stride_order),
)
_PROOF = Proof(0, 254, False)
"""Of any weights in the layout for FP8."""


def grouped_matmul(
    x: torch.Tensor,
    weights: PackedWeights,
    offsets: torch.Tensor,
    expert_ids: torch.Tensor | None = None,
    out_dtype: str = "bf16",
    batch_invariant: bool = False,
    accumulation: str = "promoted512",
) -> torch.Tensor:
    """`mxfp4.grouped_matmul` on torch tensors and weights packed with layout "fp8"."""
    for name, tensor in (("the weights", weights.data), ("offsets", offsets)):
        if not isinstance(tensor, torch.Tensor):
            raise Error(f"x is a torch tensor, but {name} are not; move them with to_device or "
                        "torch.as_tensor.")  # fmt: skip
    refuse_sparse(x)
    return _operator(
        x, weights.data, weights.powers, offsets, expert_ids,
        n=weights.n, accumulation=accumulation, out_dtype=DTYPES[out_dtype],
        batch_invariant=batch_invariant,
    )  # fmt: skip


def _check_all(
    x: torch.Tensor, weights: torch.Tensor, powers: torch.Tensor, offsets: torch.Tensor,
    expert_ids: torch.Tensor | None = None, *, n: int, accumulation: str = "promoted512",
    out_dtype: torch.dtype | None = None, batch_invariant: bool = False,
) -> torch.dtype:  # fmt: skip
    """Check the arguments as far as that needs no values; the output's dtype.

    The numbers of rows and of groups may be symbols of a tracer, as in `torch_op._check`.
    """
    check_accumulation(accumulation)
    dtype = _check(x, weights, offsets, expert_ids, n=n, order=FP8.order, scales=FP8.scales,
                   out_dtype=out_dtype)  # fmt: skip
    if powers.dtype != torch.float32 or tuple(powers.shape) != (weights.shape[0], n):
        raise Error(
            f"powers must be float32 [{weights.shape[0]}, {n}], got {powers.dtype} "
            f"{list(powers.shape)}."
        )
    if powers.device != x.device:
        raise Error(f"powers must be on {x.device}, where x is, got {powers.device}.")
    return dtype


def _check_call(
    x: torch.Tensor, weights: torch.Tensor, powers: torch.Tensor, offsets: torch.Tensor,
    expert_ids: torch.Tensor | None = None, *, accumulation: str = "promoted512",
    batch_invariant: bool = False, **options: Any,
) -> tuple[torch.dtype, Problem]:  # fmt: skip
    """`_check_all` of a call that will run: also its problem."""
    dtype = _check_all(x, weights, powers, offsets, expert_ids, accumulation=accumulation,
                       batch_invariant=batch_invariant, **options)  # fmt: skip
    groups = None if expert_ids is None else expert_ids.shape[0]
    problem = _problem(weights.shape[0], options["n"], x.shape[1], groups, _OUTPUT[dtype],
                       batch_invariant, accumulation)  # fmt: skip
    return dtype, problem


@cache
def _problem(
    experts: int, n: int, k: int, groups: int | None, output: str, batch_invariant: bool,
    accumulation: str,
) -> Problem:  # fmt: skip
    return Problem(experts, n, k, groups, FP8, output, groups is not None,
                   batch_invariant=batch_invariant, accumulation=accumulation)  # fmt: skip


def _fake(x: torch.Tensor, *arguments: Any, n: int, **options: Any) -> torch.Tensor:
    dtype = _check_all(x, *arguments, n=n, **options)
    return x.new_empty((x.shape[0], n), dtype=dtype)


def _cuda(
    x: torch.Tensor, weights: torch.Tensor, powers: torch.Tensor, offsets: torch.Tensor,
    expert_ids: torch.Tensor | None = None, **options: Any,
) -> torch.Tensor:  # fmt: skip
    dtype, problem = _check_call(x, weights, powers, offsets, expert_ids, **options)
    rows = x.shape[0]
    if not rows:
        return x.new_empty((0, problem.n), dtype=dtype)
    if problem.groups == 0:
        raise Error(f"there are no groups, so x must have no rows, got {rows}.")
    index, x = x.device.index, x.contiguous()
    kernel = kernel_for(problem, rows, index)
    rounding = quantizer(problem.k, index)
    codes = x.new_empty(x.shape, dtype=torch.float8_e4m3fn)
    scales = x.new_empty((rows,), dtype=torch.float32)
    rounding(rows, x.data_ptr(), codes.data_ptr(), scales.data_ptr(), _current_stream(index))
    operands = {"epilogue0": powers, "epilogue1": scales}
    if expert_ids is not None:
        operands["expert_ids"] = expert_ids
    return kernel.run(codes, weights, offsets, None, None, operands)


def _cpu(
    x: torch.Tensor, weights: torch.Tensor, powers: torch.Tensor, offsets: torch.Tensor,
    expert_ids: torch.Tensor | None = None, **options: Any,
) -> torch.Tensor:  # fmt: skip
    dtype, problem = _check_call(x, weights, powers, offsets, expert_ids, **options)
    packed = PackedWeights(to_numpy(weights), problem.n, problem.k, FP8, _PROOF,
                           powers=to_numpy(powers))  # fmt: skip
    ids = None if expert_ids is None else to_numpy(expert_ids)
    y = fp8_reference.grouped_matmul(
        to_numpy(x), packed, to_numpy(offsets), ids, fp8_reference.OUTPUTS[_OUTPUT[dtype]]
    )
    return from_numpy(y)


torch.library.register_fake("mxfp4::grouped_matmul_fp8", _fake, lib=_library)
_library.impl("grouped_matmul_fp8", _cuda, "CUDA")
_library.impl("grouped_matmul_fp8", _cpu, "CPU")
_operator = torch.ops.mxfp4.grouped_matmul_fp8.default
_library.impl(
    "grouped_matmul_fp8", autograd_of(_operator, _cuda, "mxfp4.grouped_matmul"), "Autograd"
)
