# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Forms of the grouped matmul in the interpreter: compiled, launched, and compared.

A form (`fused.Form`, `fp8_matmul.Form`) is MLIR, a number of columns and a type of output; its data
are arrays by the names of a kernel's arguments, and a number of rows.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from interpreter import count, empty, launch, touch
from mxfp4._sim_driver import SimDriver
from mxfp4._sim_memory import DeviceArray
from mxfp4.artifact import Artifact
from mxfp4.compile import Compiler
from mxfp4.formats import bfloat16
from mxfp4.fp8 import encode_e4m3, float8_e4m3

OUTPUTS: dict[str, Any] = {"bf16": bfloat16, "f32": np.float32, "f8E4M3FN": float8_e4m3}
"""Types of outputs by the names that forms have for them."""


def rounded(y: np.ndarray, output: str) -> np.ndarray:
    """Results in f32 as a store rounds them."""
    if output == "f8E4M3FN":
        return encode_e4m3(y).view(float8_e4m3)
    return y.astype(OUTPUTS[output])


@cache
def compiled(form: Any, options: str) -> Artifact:
    """A form's kernel."""
    with Compiler() as compiler:
        return compiler.compile(form.mlir(), options)


def _maps(driver: SimDriver, boxes: list[list[int]], x: DeviceArray) -> bytes:
    """Tensor maps as a launcher encodes them."""
    text, (rows, k), size = b"", x.shape, x.dtype.itemsize
    kind = {1: "UINT8", 2: "BFLOAT16"}[size]
    for box in boxes:
        status, encoded = driver.cuTensorMapEncodeTiled(
            f"CU_TENSOR_MAP_DATA_TYPE_{kind}", 2, x.memory.address, [k, rows], [size * k], box,
            [1, 1], "_NONE", "CU_TENSOR_MAP_SWIZZLE_128B", "", "_NONE",
        )  # fmt: skip
        assert status == 0
        text += bytes(encoded.bytes)
    return text


def run(
    form: Any, data: Any, artifact: Artifact, epilogue: list[str], seed: int, ctas: int,
    **options: int,
) -> tuple[np.ndarray, np.ndarray, int, list[dict[str, Any]]]:  # fmt: skip
    """The output, which elements were stored, the error word, and hazards.

    Args:
        epilogue: the names in the data of the epilogue's operands, in their order.
    """
    driver, manifest = SimDriver(seed=seed, **options), artifact.manifest.raw
    arrays = {name: driver.allocate(array, name, writable=False)
              for name, array in data.arrays.items()}  # fmt: skip
    shape = (data.output_rows(form), form.columns)
    y = empty(driver, shape, OUTPUTS[form.output], "y")
    error = driver.allocate(np.zeros(1, np.int32), "error")
    shapes = {a["name"]: a.get("shape") for a in manifest["arguments"]}
    workspace = driver.allocate(np.zeros(shapes["workspace"], np.int32), "workspace")
    arrays |= {"y": y, "error": error, "workspace": workspace}
    if "through" in shapes:
        dtype = data.arrays["x"].dtype
        arrays["through"] = empty(driver, (data.rows, form.k), dtype, "through")
        arrays["through_maps"] = arrays["through"]
    wanted = np.diff(data.arrays["offsets"])
    if form.counts:
        arrays[form.counts] = driver.allocate(np.zeros(len(wanted), np.int32), form.counts)
    if form.counts == "awaited":
        count(driver, arrays["x"], wanted * form.k, arrays["awaited"])
    arrays |= {f"epilogue{i}": arrays[name] for i, name in enumerate(epilogue)}
    numbers = {"rows": data.rows, "x_rows": len(data.arrays["x"]), "y_rows": shape[0]}
    arguments = [
        _maps(driver, a["boxes"], arrays[a["name"]]) if a["kind"] == "tensor_maps"
        else numbers.get(a["name"], arrays.get(a["name"]))
        for a in manifest["arguments"]
    ]  # fmt: skip
    older = manifest["launch"].get("ahead", [])
    if older and "awaited" not in older:
        # All but these may be what the kernel ahead stores.
        touch(driver, [arrays[name] for name in sorted(data.arrays.keys() - older)])
    findings = launch(
        driver, artifact.ptx, manifest["entry"], arguments, grid=ctas,
        block=manifest["launch"]["block"][0], shared=manifest["launch"]["dynamic_shared_bytes"],
    )  # fmt: skip
    assert not workspace.numpy().any()
    if form.counts == "stored":
        assert np.array_equal(arrays["stored"].numpy(), wanted * form.columns)
    return y.numpy(), y.known(), int(error.numpy()[0]), findings


def differences(
    y: np.ndarray, known: np.ndarray, expected: np.ndarray, stored: np.ndarray,
    is_close: bool = False,
) -> list[str]:  # fmt: skip
    """What is wrong with an output, of which some elements were stored; empty if nothing is.

    Args:
        known: which elements were stored.
        stored: the rows of which all elements should be.
        is_close: whether a rounding may differ, where a function is no one definition's.
    """
    said = []
    if not np.array_equal(known, np.broadcast_to(stored[:, None], known.shape)):
        said.append(f"{int((known != stored[:, None]).sum())} elements stored or not by mistake")
    a, b = y[stored].astype(np.float32), expected[stored].astype(np.float32)
    wrong = (a != b) & ~(np.isnan(a) & np.isnan(b))
    if is_close and y.dtype == float8_e4m3:
        wrong = ~np.isclose(a, b, rtol=2**-3, atol=2**-9)
    elif is_close:
        wrong = ~np.isclose(a, b, rtol=2**-7, atol=2**-20)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        said.append(
            f"{int(wrong.sum())} of {wrong.size} wrong, the first at stored row {row}, "
            f"column {column}: {a[row, column]} instead of {b[row, column]}"
        )
    return said


def complaints(error: int, findings: list[dict[str, Any]], found: list[str]) -> list[str]:
    """What is wrong with a run, whose output has these differences."""
    said = [f"{f['check']}: {f['message']}" for f in findings]
    return [*said, *([f"error word {error}"] if error else []), *found]
