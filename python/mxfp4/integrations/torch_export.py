# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs of torch.export that name the grouped matmul, from a module to PTX.

A module calls `grouped_matmul`, which takes the codes and scales of a checkpoint and computes its
specification on any device; or it calls ``torch.ops.mxfp4.grouped_matmul`` on packed weights, as
`mxfp4.GroupedLinear` does. Both keep their names through ``torch.export``::

    kernels = compile_kernels(model, x, offsets)

`problems` says which kernels a program needs. `entries` writes its calls of `grouped_matmul` as a
module that ``mxfp4-raise`` reads, for whoever embeds the passes; torch-mlir writes the same calls
as ``torch.operator``, which it reads, too. From the command line, ``python -m
mxfp4.integrations.torch_export FILE.py -o FOLDER`` compiles what FILE defines: ``model``, a module,
and ``inputs``, a tuple of tensors.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .._command import Parser, told
from .._typed import typed
from ..artifact import Artifact, write_folders
from ..compile import compile_artifact
from ..errors import Error
from ..layout import Layout
from ..problem import Problem

try:
    import torch
    from torch.export import ExportedProgram
except ImportError as e:  # pragma: no cover - says what to do
    raise Error("mxfp4.integrations.torch_export needs torch: pip install torch.") from e

from .. import torch_op  # noqa: F401 - registers torch.ops.mxfp4.grouped_matmul

ENTRY = "mxfp4.grouped_matmul"
"""The name that ``mxfp4-raise`` knows."""

_OUTPUT = {torch.bfloat16: "bf16", torch.float32: "f32"}
_library = torch.library.Library("mxfp4", "FRAGMENT")
_library.define(
    "grouped_matmul_codes(Tensor x, Tensor codes, Tensor scales, Tensor offsets, "
    "Tensor? expert_ids=None, *, ScalarType? out_dtype=None) -> Tensor",
    tags=(torch.Tag.pt2_compliant_tag,),
)


def grouped_matmul(
    x: torch.Tensor,
    codes: torch.Tensor,
    scales: torch.Tensor,
    offsets: torch.Tensor,
    expert_ids: torch.Tensor | None = None,
    out_dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """``Y[r, n] = sum_k X[r, k] * W[e(r)][n, k]``, as an operator that keeps its name.

    Args:
        x: bf16 ``[R, K]``, rows sorted by group.
        codes: u8 ``[E, N, K/32, 16]``, the lower nibble first, as checkpoints have them.
        scales: u8 ``[E, N, K/32]``, E8M0.
        offsets: i32 ``[G + 1]``, the first row of each group, from 0 to R.
        expert_ids: i32 ``[G]``, the expert of each group, -1 for rows of zeros; without it group
            g is expert g.
        out_dtype: of the result, bfloat16 (if None) or float32.

    Returns:
        ``[R, N]``.

    Raises:
        Error: if shapes or types do not fit.
    """
    result: torch.Tensor = torch.ops.mxfp4.grouped_matmul_codes(
        x, codes, scales, offsets, expert_ids, out_dtype=out_dtype
    )
    return result


def _check(
    x: torch.Tensor, codes: torch.Tensor, scales: torch.Tensor, offsets: torch.Tensor,
    expert_ids: torch.Tensor | None, out_dtype: torch.dtype | None,
) -> torch.dtype:  # fmt: skip
    if codes.dtype != torch.uint8 or codes.dim() != 4 or codes.shape[3] != 16:
        raise Error(f"codes must be uint8 [E, N, K/32, 16], got {codes.dtype} {[*codes.shape]}.")
    experts, n, blocks, _ = codes.shape
    if scales.dtype != torch.uint8 or [*scales.shape] != [experts, n, blocks]:
        raise Error(
            f"scales must be uint8 [{experts}, {n}, {blocks}], got {scales.dtype} "
            f"{[*scales.shape]}."
        )
    if x.dtype != torch.bfloat16 or x.dim() != 2 or x.shape[1] != blocks * 32:
        raise Error(f"x must be bfloat16 [R, {blocks * 32}], got {x.dtype} {[*x.shape]}.")
    groups = experts if expert_ids is None else expert_ids.shape[0]
    for name, tensor, size in (("offsets", offsets, groups + 1), ("ids", expert_ids, groups)):
        if tensor is not None and (tensor.dtype != torch.int32 or [*tensor.shape] != [size]):
            raise Error(f"{name} must be int32 [{size}], got {tensor.dtype} {[*tensor.shape]}.")
    dtype = torch.bfloat16 if out_dtype is None else out_dtype
    if dtype not in _OUTPUT:
        raise Error(f"out_dtype must be bfloat16 or float32, got {dtype}.")
    return dtype


def _fake(
    x: torch.Tensor, codes: torch.Tensor, scales: torch.Tensor, offsets: torch.Tensor,
    expert_ids: torch.Tensor | None = None, *, out_dtype: torch.dtype | None = None,
) -> torch.Tensor:  # fmt: skip
    dtype = _check(x, codes, scales, offsets, expert_ids, out_dtype)
    return x.new_empty((x.shape[0], codes.shape[1]), dtype=dtype)


def _specification(
    x: torch.Tensor, codes: torch.Tensor, scales: torch.Tensor, offsets: torch.Tensor,
    expert_ids: torch.Tensor | None = None, *, out_dtype: torch.dtype | None = None,
) -> torch.Tensor:  # fmt: skip
    """One group after the other, in f64."""
    from .._gpu import decode

    dtype = _check(x, codes, scales, offsets, expert_ids, out_dtype)
    starts = offsets.tolist()
    ids = range(codes.shape[0]) if expert_ids is None else expert_ids.tolist()
    if starts[0] != 0 or starts[-1] != x.shape[0] or starts != sorted(starts):
        raise Error(f"offsets must rise from 0 to the number of rows, {x.shape[0]}, got {starts}.")
    y = x.new_zeros((x.shape[0], codes.shape[1]), dtype=dtype)
    for first, last, expert in zip(starts, starts[1:], ids, strict=False):
        if expert >= codes.shape[0] or expert < -1:
            raise Error(f"an expert id must be from -1 to {codes.shape[0] - 1}, got {expert}.")
        if expert < 0 or first == last:
            continue
        w = decode(codes[expert].cpu(), scales[expert].cpu(), torch.float64).to(x.device)
        y[first:last] = (x[first:last].double() @ w.T).float().to(dtype)
    return y


torch.library.register_fake("mxfp4::grouped_matmul_codes", _fake, lib=_library)
_library.impl("grouped_matmul_codes", _specification, "CompositeExplicitAutograd")


def export(module: Any, *inputs: Any) -> ExportedProgram:
    """``torch.export`` of a module; a program that was exported already is taken as it is."""
    if isinstance(module, ExportedProgram):
        return module
    with torch.no_grad():
        return torch.export.export(module, inputs)


def _calls(program: ExportedProgram) -> Iterator[tuple[str, dict[str, Any]]]:
    """Our operators in the order of the program: a name, and arguments by their names."""
    for node in program.graph.nodes:
        if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
            continue
        schema = node.target._schema
        if not schema.name.startswith("mxfp4::"):
            continue
        names = [argument.name for argument in schema.arguments]
        arguments = dict(zip(names, node.args, strict=False)) | dict(node.kwargs) | {"": node}
        yield schema.name.removeprefix("mxfp4::"), arguments


def _shape(node: Any) -> tuple[Any, ...]:
    return tuple(node.meta["val"].shape)


def _problem(name: str, arguments: dict[str, Any], layout: Layout) -> Problem:
    """What a kernel of a call is compiled for."""
    ids = arguments.get("expert_ids")
    output = _OUTPUT[arguments.get("out_dtype") or torch.bfloat16]
    k = int(_shape(arguments["x"])[1])
    if name == "grouped_matmul":
        experts, n = _shape(arguments["weights"])[0], arguments["n"]
        layout = Layout(arguments["order"], arguments["scales"])
    else:
        experts, n = _shape(arguments["codes"])[:2]
    return Problem(
        int(experts), int(n), k, groups=None if ids is None else int(_shape(ids)[0]),
        layout=layout, output=output, expert_ids=ids is not None,
        batch_invariant=bool(arguments.get("batch_invariant", False)),
    )  # fmt: skip


@typed
def problems(module: Any, *inputs: Any, layout: Layout | None = None) -> list[Problem]:
    """The problems of a program's grouped matmuls, in its order; equal ones once.

    Args:
        module: a ``torch.nn.Module``, or what ``torch.export`` made of one.
        inputs: of the module, for the export.
        layout: of weights that are packed later; the default one if None.
    """
    found: dict[Problem, None] = {}
    for name, arguments in _calls(export(module, *inputs)):
        if name in ("grouped_matmul", "grouped_matmul_codes"):
            found[_problem(name, arguments, layout or Layout())] = None
    return list(found)


@typed
def compile_kernels(
    module: Any, *inputs: Any, layout: Layout | None = None, options: str = ""
) -> list[Artifact]:
    """The kernels of a program, from its module to PTX.

    Args:
        module: see `problems`.
        inputs: of the module.
        layout: of packed weights; see `mxfp4.pack`.
        options: of the compiler, such as "rows-hint=64".

    Raises:
        Error: if there is no grouped matmul in it, or no compiler.
    """
    found = problems(module, *inputs, layout=layout)
    if not found:
        raise Error(
            "this module calls neither mxfp4.integrations.torch_export.grouped_matmul nor "
            "torch.ops.mxfp4.grouped_matmul."
        )
    return [compile_artifact(problem, options) for problem in found]


_ELEMENTS = {
    torch.bfloat16: "bf16", torch.float32: "f32", torch.uint8: "i8", torch.int32: "i32",
}  # fmt: skip


def _tensor(node: Any) -> str:
    """The type of a value; sizes that are symbols are dynamic."""
    value = node.meta["val"]
    sizes = [str(size) if isinstance(size, int) else "?" for size in value.shape]
    return f"tensor<{'x'.join([*sizes, _ELEMENTS[value.dtype]])}>"


@typed
def entries(module: Any, *inputs: Any) -> str:
    """The calls of `grouped_matmul` as MLIR, each in a function, which ``mxfp4-raise`` reads."""
    functions: list[str] = []
    declared: dict[str, str] = {}
    for name, arguments in _calls(export(module, *inputs)):
        if name != "grouped_matmul_codes":
            continue
        given = ("x", "codes", "scales", "offsets", "expert_ids")
        operands = [arguments[key] for key in given if arguments.get(key) is not None]
        types = [_tensor(operand) for operand in operands]
        result = _tensor(arguments[""])
        signature = f"({', '.join(types)}) -> {result}"
        # A name has one type; further ones are numbered.
        symbol = declared.setdefault(
            signature, f"@{ENTRY}" if not declared else f"@mxfp4_grouped_matmul_{len(declared)}"
        )
        values = ", ".join(f"%{i}" for i in range(len(types)))
        parameters = ", ".join(f"%{i}: {t}" for i, t in enumerate(types))
        functions.append(
            f"func.func @call_{len(functions)}({parameters}) -> {result} {{\n"
            f"  %y = call {symbol}({values}) : {signature}\n  return %y : {result}\n}}\n"
        )
    functions += [f"func.func private {name}{type_}\n" for type_, name in declared.items()]
    return "".join(functions)


@told("python -m mxfp4.integrations.torch_export")
def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = Parser(
        prog="python -m mxfp4.integrations.torch_export",
        description="Compile the grouped matmuls of a torch module to PTX.",
    )
    parser.add_argument("file", type=Path, help="defines model, a module, and inputs, a tuple")
    parser.add_argument("-o", dest="folder", type=Path, required=True, help="for the artifacts")
    parser.add_argument("--options", default="", help='of the compiler, such as "rows-hint=64"')
    given = parser.parse_args(arguments)
    try:
        names = runpy.run_path(str(given.file))
        if "model" not in names or "inputs" not in names:
            raise Error(
                f"{given.file} must define model, a module, and inputs, a tuple of tensors."
            )
        found = compile_kernels(names["model"], *names["inputs"], options=given.options)
        folders = [given.folder / f"kernel-{number}" for number in range(len(found))]
        write_folders({folder: a.content() for folder, a in zip(folders, found, strict=True)})
        for folder, artifact in zip(folders, found, strict=True):
            print(f"{folder}: {artifact}")
    except Error as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
