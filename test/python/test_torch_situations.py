# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each operator of torch, with each of its tensors, in each situation that torch can put a call in:
the result is that of a plain call, or the call is refused with a sentence. Never is a result wrong,
nor a gradient or a tangent lost in silence."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from helpers import exact_activations, random_weights

torch = pytest.importorskip("torch", reason="torch is not installed; see tools/setup --models")

import mxfp4  # noqa: E402
from mxfp4 import Error, torch_dispatch, torch_fp8, torch_layer  # noqa: E402, F401  (operators)
from mxfp4.torch_op import from_numpy  # noqa: E402
from test_torch_layer import Torch  # noqa: E402
from torch.autograd import forward_ad  # noqa: E402

OFFSETS = torch.tensor([0, 4, 4, 11], dtype=torch.int32)
NAMES = ("grouped_matmul", "grouped_matmul_fp8", "moe", "moe_with_routing")


class Call:
    """An operator, the tensors and the options of a call, and its result."""

    def __init__(self, name: str) -> None:
        rng = np.random.default_rng(5)
        self.operator = getattr(torch.ops.mxfp4, name)
        self.options: dict[str, Any] = {"n": 70}
        if name.startswith("moe"):
            layer = Torch(rng)
            self.options = {"spec": layer.text}
            routed = {"ids": layer.ids, "weights": layer.weights, **layer.given}
            more = {"logits": layer.logits, **layer.own} if name == "moe" else routed
            self.tensors = {"x": layer.x, **more}
        else:
            layout = "fp8" if name.endswith("fp8") else "auto"
            packed = mxfp4.pack(*random_weights(rng, 3, 70, 96, 120, 124), layout).to_device("cpu")
            self.tensors = {"x": from_numpy(exact_activations(rng, 11, 96)),
                            "weights": packed.data, "offsets": OFFSETS}  # fmt: skip
            if layout == "fp8":
                self.tensors["powers"] = packed.powers
            else:
                self.options |= {"order": packed.layout.order, "scales": packed.layout.scales}
        self.result = self()

    def __call__(self, **changes: Any) -> Any:
        return self.operator(**(self.tensors | changes), **self.options)

    def of(self, name: str) -> Callable[[torch.Tensor], Any]:
        """The call as a function of one of its tensors."""
        return lambda tensor: self(**{name: tensor})


call_of = cache(Call)
EACH = [(name, tensor) for name in NAMES for tensor in call_of(name).tensors]
FLOATS = [(n, t) for n, t in EACH if call_of(n).tensors[t].is_floating_point()]


def total(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: f(x).float().sum()


def dual(f: Callable[[Any], Any], x: torch.Tensor) -> Any:
    with forward_ad.dual_level():
        return f(forward_ad.make_dual(x, torch.ones_like(x)))


def backward(f: Callable[[Any], Any], x: torch.Tensor, **options: Any) -> Any:
    x = x.clone().requires_grad_()
    y = f(x)
    assert y.requires_grad
    return torch.autograd.grad(y.float().sum(), x, **options)


def compiled(f: Callable[[Any], Any], dynamic: bool | None = None) -> Callable[[Any], Any]:
    torch._dynamo.reset()  # functions of all operators have the code of one
    return torch.compile(f, backend="aot_eager", fullgraph=True, dynamic=dynamic)


DERIVATIVES: dict[str, Callable[[Callable[[Any], Any], torch.Tensor], Any]] = {
    "dual": dual,
    "dual without gradients": lambda f, x: torch.no_grad()(dual)(f, x),
    "dual and recorded": lambda f, x: dual(f, x.clone().requires_grad_()),
    "dual, tensors of meta": lambda f, x: dual(f, x),
    "jvp": lambda f, x: torch.func.jvp(f, (x,), (x,)),
    "jvp of jvp": lambda f, x: torch.func.jvp(
        lambda a: torch.func.jvp(f, (a,), (a,))[1], (x,), (x,)
    ),
    "jvp of vmap": lambda f, x: torch.func.jvp(
        torch.func.vmap(f), (torch.stack([x, x]),), (torch.stack([x, x]),)
    ),
    "vmap of jvp": lambda f, x: torch.func.vmap(lambda a: torch.func.jvp(f, (a,), (a,))[1])(
        torch.stack([x, x])
    ),
    "jacfwd": lambda f, x: torch.func.jacfwd(f)(x),
    "linearize": lambda f, x: torch.func.linearize(f, x),
    "jacobian forwards": lambda f, x: torch.autograd.functional.jacobian(
        f, x, strategy="forward-mode", vectorize=True
    ),
    "backward": backward,
    "backward of backward": lambda f, x: backward(f, x, create_graph=True),
    "grad": lambda f, x: torch.func.grad(total(f))(x),
    "vjp": lambda f, x: torch.func.vjp(f, x)[1](torch.ones(1)),
    "jacrev": lambda f, x: torch.func.jacrev(f)(x),
    "hessian": lambda f, x: torch.func.hessian(total(f))(x),
    "vmap of grad": lambda f, x: torch.func.vmap(torch.func.grad(total(f)))(torch.stack([x, x])),
    "autograd.functional.jvp": lambda f, x: torch.autograd.functional.jvp(f, x, x),
    "vmap, recorded": lambda f, x: backward(lambda a: torch.func.vmap(f)(torch.stack([a, a])), x),
    "checkpoint": lambda f, x: backward(
        lambda a: torch.utils.checkpoint.checkpoint(f, a, use_reentrant=False), x
    ),
}


@pytest.mark.parametrize("how", DERIVATIVES)
@pytest.mark.parametrize(("name", "tensor"), FLOATS)
def test_a_derivative_is_refused(name: str, tensor: str, how: str) -> None:
    """A tangent that is lost would be taken for 0."""
    call = call_of(name)
    x, f = call.tensors[tensor], call.of(tensor)
    if how.endswith("meta"):
        others = {n: t.to("meta") for n, t in call.tensors.items()}
        x, f = others[tensor], lambda x: call(**(others | {tensor: x}))
    backwards = how not in ("dual", "jacfwd", "linearize") and "jvp" not in how
    backwards = backwards and "dual" not in how and not how.endswith("forwards")
    kind = "has no gradient" if backwards or "functional.jvp" in how else "has no derivative"
    shown = "mxfp4.grouped_matmul" if name.startswith("grouped") else f"mxfp4.{name}"
    with pytest.raises(Error, match=f"^{re.escape(shown)} {kind}.*is for inference"):
        DERIVATIVES[how](f, x)


@pytest.mark.parametrize("name", NAMES)
def test_a_derivative_is_refused_where_it_is_compiled(name: str) -> None:
    call = call_of(name)
    x = call.tensors["x"]
    with pytest.raises(Exception, match="has no gradient"):
        compiled(call.of("x"))(x.clone().requires_grad_())
    with pytest.raises(Exception, match="has no derivative"):
        compiled(lambda a: torch.func.jvp(call.of("x"), (a,), (a,)))(x)


@pytest.mark.parametrize("name", NAMES)
def test_tangents_elsewhere_do_no_harm(name: str) -> None:
    """Nor do tensors that ask for gradients where nothing is recorded."""
    call = call_of(name)
    x = call.tensors["x"]
    with forward_ad.dual_level():
        other = forward_ad.make_dual(x, x)
        assert torch.equal(call(), call.result)
        assert torch.equal(call(x=forward_ad.unpack_dual(other).primal), call.result)
    inert = {n: t.clone().requires_grad_() if t.is_floating_point() else t
             for n, t in call.tensors.items()}  # fmt: skip
    with torch.no_grad():
        y = call(**inert)
    assert torch.equal(y, call.result)
    assert not y.requires_grad
    y = call(**inert)
    assert y.requires_grad, "a loss knows that it cannot be differentiated"
    assert torch.equal(y, call.result)


def autocast(f: Callable[[Any], Any], x: torch.Tensor, dtype: Any = torch.bfloat16) -> Any:
    with torch.autocast("cpu", dtype=dtype):
        return f(x)


def made_for_inference(f: Callable[[Any], Any], x: torch.Tensor) -> Any:
    with torch.inference_mode():
        x = x.clone()
    return f(x)


def several(f: Callable[[Any], Any], x: torch.Tensor) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.func.vmap(f)(torch.stack([x, x]))[1]


RIGHT: dict[str, Callable[[Callable[[Any], Any], torch.Tensor], Any]] = {
    "vmap": several,
    "autocast": autocast,
    "autocast to f16": lambda f, x: autocast(f, x, torch.float16),
    "inference": lambda f, x: torch.inference_mode()(f)(x),
    "tensor of inference": made_for_inference,
    "parameter": lambda f, x: f(torch.nn.Parameter(x, requires_grad=False)),
    "conjugate": lambda f, x: f(x.conj()),
    "detached": lambda f, x: f(x.detach()),
    "compiled": lambda f, x: compiled(f)(x),
    "compiled, dynamic": lambda f, x: compiled(f, dynamic=True)(x),
    "functionalized": lambda f, x: torch.func.functionalize(f)(x),
}


@pytest.mark.parametrize("how", RIGHT)
@pytest.mark.parametrize(("name", "tensor"), EACH)
def test_a_result_is_that_of_a_plain_call(name: str, tensor: str, how: str) -> None:
    call = call_of(name)
    y = RIGHT[how](call.of(tensor), call.tensors[tensor])
    assert y.dtype == call.result.dtype
    assert torch.equal(y, call.result)


def strided(x: torch.Tensor) -> torch.Tensor:
    return torch.stack([x, x], -1)[..., 0]


REFUSED: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], str]] = {
    "another device": (lambda x: x.to("meta"), "must be on (meta|cpu)|is on|got meta"),
    "f64": (lambda x: x.double(), "must be .*float64"),
    "another rank": (lambda x: x[None], "must be"),
    "nothing": (lambda x: x[:0], r"must be|must end at the number of rows"),
    "COO": (lambda x: x.to_sparse(), "takes dense tensors, got one that is of layout"),
    "nested": (lambda x: torch.nested.nested_tensor([x]), "takes dense tensors.*nested"),
}


@pytest.mark.parametrize("how", REFUSED)
@pytest.mark.parametrize(("name", "tensor"), EACH)
def test_what_fits_no_kernel_is_a_sentence(name: str, tensor: str, how: str) -> None:
    change, text = REFUSED[how]
    call = call_of(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        changed = change(call.tensors[tensor])
    with pytest.raises(Error, match=text):
        call.of(tensor)(changed)


STRIDED: dict[str, Callable[[Callable[[Any], Any], torch.Tensor], Any]] = {
    "a view": lambda f, x: f(strided(x)),
    "vmap in the last dimension": lambda f, x: torch.func.vmap(f, -1)(torch.stack([x, x], -1))[0],
}


@pytest.mark.parametrize("how", STRIDED)
@pytest.mark.parametrize(("name", "tensor"), EACH)
def test_strides(name: str, tensor: str, how: str) -> None:
    """Right, or refused, because a layer's weights would be copied in each call."""
    call = call_of(name)
    if name.startswith("moe") and tensor not in ("x", "logits", "ids", "weights"):
        with pytest.raises(Error, match=f"{tensor} must be a contiguous .*, not contiguous"):
            STRIDED[how](call.of(tensor), call.tensors[tensor])
        return
    assert torch.equal(STRIDED[how](call.of(tensor), call.tensors[tensor]), call.result)


@pytest.mark.parametrize("name", NAMES)
def test_no_rows(name: str) -> None:
    call = call_of(name)
    of_tokens = ["x", "logits", "ids", *(["weights"] if name == "moe_with_routing" else [])]
    rows = {n: t[:0] for n, t in call.tensors.items() if n in of_tokens}
    if "offsets" in call.tensors:
        rows["offsets"] = torch.zeros_like(OFFSETS)
    y = call(**rows)
    assert y.shape == (0, call.result.shape[1])
    assert y.dtype == call.result.dtype


def test_modules_are_called_with_other_state(rng: np.random.Generator) -> None:
    """By torch.func.functional_call, as ensembles do."""
    packed = [mxfp4.pack(*random_weights(rng, 3, 70, 96, 120, 124)) for _ in range(2)]
    modules = [mxfp4.GroupedLinear(p.to_device("cpu")) for p in packed]
    x = from_numpy(exact_activations(rng, 11, 96))
    state = {"packed": modules[1].packed}
    y = torch.func.functional_call(modules[0], state, (x, OFFSETS))
    assert torch.equal(y, modules[1](x, OFFSETS))


@pytest.mark.parametrize("kind", ["recorded", "dual"])
def test_launches_that_autograd_does_not_see_are_refused(kind: str) -> None:
    """With out, a kernel or a stream there is no operator in between."""
    packed = mxfp4.pack(*random_weights(np.random.default_rng(1), 3, 70, 96, 120, 124))
    x = torch.zeros((11, 96), dtype=torch.bfloat16, device="meta")
    out = torch.zeros((11, 70), dtype=torch.bfloat16, device="meta")
    if kind == "recorded":
        with pytest.raises(Error, match="has no gradient"):
            mxfp4.grouped_matmul(x.requires_grad_(), packed, OFFSETS, out=out)
        return
    with forward_ad.dual_level(), pytest.raises(Error, match="has no derivative"):
        mxfp4.grouped_matmul(forward_ad.make_dual(x, x), packed, OFFSETS, out=out)


def test_calls_within_a_level_are_not_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU, too, they go through the operator, which looks at tangents."""
    monkeypatch.setattr(torch_dispatch, "_is_on_cuda", lambda tensor: True)
    x = torch.ones(3)
    assert torch_dispatch.is_plain(x)
    with forward_ad.dual_level():
        assert not torch_dispatch.is_plain(x)
        with pytest.raises(Error, match="has no derivative"):
            torch_dispatch.refuse_derivatives("a layer", forward_ad.make_dual(x, x))
    assert torch_dispatch.is_plain(x)


@pytest.mark.parametrize("name", ["quantize", "pack"])
def test_what_takes_arrays_refuses_tensors_without_memory(name: str) -> None:
    values = torch.ones(2, 64, 64)
    given = [values]
    if name == "pack":
        given = [torch.from_numpy(a) for a in mxfp4.quantize(values.numpy())]
    for bad in (given[0].to("meta"), given[0].float().requires_grad_()):
        with pytest.raises(Error, match=r"must be a numpy array, got (Tensor|Parameter)"):
            getattr(mxfp4, name)(bad, *given[1:])
