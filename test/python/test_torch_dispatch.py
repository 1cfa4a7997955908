# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls of matmuls that spare torch's dispatcher, where nothing traces or records them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import exact_activations, random_weights

torch = pytest.importorskip("torch", reason="torch is not installed; see tools/setup --models")

import mxfp4  # noqa: E402
from mxfp4 import Error, torch_dispatch, torch_fp8, torch_op  # noqa: E402
from mxfp4.torch_op import from_numpy  # noqa: E402
from torch.fx.experimental.proxy_tensor import make_fx  # noqa: E402
from torch.overrides import TorchFunctionMode  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

OFFSETS = torch.tensor([0, 4, 4, 11], dtype=torch.int32)


def matmul(rng: np.random.Generator) -> tuple[Any, ...]:
    """The module of an operator, its name, and the arguments of a call on the CPU."""
    packed = mxfp4.pack(*random_weights(rng, 3, 70, 96, 120, 124)).to_device("cpu")
    x = from_numpy(exact_activations(rng, 11, 96))
    options = {"n": 70, "order": packed.layout.order, "scales": packed.layout.scales}
    return torch_op, "grouped_matmul", (x, packed.data, OFFSETS, None), options, packed


def fp8(rng: np.random.Generator) -> tuple[Any, ...]:
    """Likewise, with activations in FP8."""
    packed = mxfp4.pack(*random_weights(rng, 3, 70, 96, 120, 124), "fp8").to_device("cpu")
    x = from_numpy(exact_activations(rng, 11, 96))
    tensors = (x, packed.data, packed.powers, OFFSETS, None)
    return torch_fp8, "grouped_matmul_fp8", tensors, {"n": 70}, packed


@pytest.mark.parametrize("of", [matmul, fp8])
def test_a_plain_call_is_launched_from_the_first_kernel(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, of: Any
) -> None:
    """What is dispatched to first on CUDA, called with tensors of the CPU."""
    module, name, tensors, options, _ = of(rng)
    wanted, called = module._operator(*tensors, **options), []
    assert torch._C._dispatch_has_kernel_for_dispatch_key(f"mxfp4::{name}", "Autograd")
    kernel = torch_dispatch.autograd_of(
        module._operator, lambda *a, **o: called.append(o), "mxfp4.grouped_matmul"
    )
    assert torch.equal(kernel(*tensors, **options), wanted), "on the CPU nothing is spared"
    monkeypatch.setattr(torch_dispatch, "_is_on_cuda", lambda tensor: True)
    kernel(*tensors, **options)
    assert called == [options]
    with FlopCounterMode(display=False):
        assert torch.equal(kernel(*tensors, **options), wanted), "a mode sees the operator"
    x = tensors[0].clone().requires_grad_()
    y = kernel(x, *tensors[1:], **options)
    assert torch.equal(y, wanted)
    with pytest.raises(Error, match="has no gradient"):
        y.sum().backward()
    assert len(called) == 1
    with torch.no_grad():
        kernel(x, *tensors[1:], **options)
    assert len(called) == 2


def test_the_function_leaves_the_dispatcher_out(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, (x, *_), _, packed = matmul(rng)
    wanted, called = mxfp4.grouped_matmul(x, packed, OFFSETS), []
    monkeypatch.setattr(torch_op, "_cuda", lambda *a, **o: called.append(o["n"]))
    assert torch.equal(mxfp4.grouped_matmul(x, packed, OFFSETS), wanted)
    monkeypatch.setattr(torch_dispatch, "_is_on_cuda", lambda tensor: True)
    mxfp4.grouped_matmul(x, packed, OFFSETS)
    assert called == [70]
    recorded = mxfp4.grouped_matmul(x.clone().requires_grad_(), packed, OFFSETS)
    assert torch.equal(recorded, wanted)
    run = torch.compile(
        lambda x: mxfp4.grouped_matmul(x, packed, OFFSETS), fullgraph=True, backend="aot_eager"
    )
    assert torch.equal(run(x), wanted)
    assert called == [70]


class Seen(TorchFunctionMode):
    """A mode that changes nothing."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def under_mode(function: Callable[[Any], Any], x: torch.Tensor) -> Any:
    with Seen():
        return function(x)


def under_meter(function: Callable[[Any], Any], x: torch.Tensor) -> Any:
    with FlopCounterMode(display=False):
        return function(x)


UNDER: dict[str, Callable[[Callable[[Any], Any], torch.Tensor], Any]] = {
    "vmap": lambda f, x: torch.func.vmap(f)(x),
    "vmap of vmap": lambda f, x: torch.func.vmap(torch.func.vmap(f))(x),
    "functionalize": lambda f, x: torch.func.functionalize(f)(x),
    "grad": lambda f, x: torch.func.grad(lambda x: f(x).sum())(x),
    "jvp": lambda f, x: torch.func.jvp(f, (x,), (x,)),
    "make_fx": lambda f, x: make_fx(f)(x),
    "make_fx(pre_dispatch)": lambda f, x: make_fx(f, pre_dispatch=True)(x),
    "make_fx(symbolic)": lambda f, x: make_fx(f, tracing_mode="symbolic")(x),
    "jit.trace": lambda f, x: torch.jit.trace(f, (x,), check_trace=False),
    "function mode": under_mode,
    "dispatch mode": under_meter,
}


@pytest.mark.parametrize("how", UNDER)
def test_what_sees_or_changes_calls_makes_them_other_than_plain(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Its wrappers may have no memory, and a direct call would not be seen."""
    monkeypatch.setattr(torch_dispatch, "_is_on_cuda", lambda tensor: True)
    found = []

    def function(x: torch.Tensor) -> torch.Tensor:
        found.append(torch_dispatch.is_plain(x, None))
        return x * 2

    x = torch.ones(3, 4)
    function(x)
    UNDER[how](function, x)
    function(x)
    assert found[0] is found[-1] is True
    assert len(found) > 2
    assert not any(found[1:-1])
