# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The kernel of a decode alone, run in the interpreter on all codes with all scales."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from frontends import OPT, opt
from mxfp4 import formats

SIM = OPT.with_name("mxfp4-sim")
ROWS, TYPES = 256, {"bf16": np.uint16, "f32": np.uint32}
DECODE = """
func.func @decode(%c: memref<256x1x16xi8>, %s: memref<256x1xi8>, %y: memref<256x32x{type}>) {{
  mxfp4.dequantize codes(%c : memref<256x1x16xi8>) scales(%s : memref<256x1xi8>)
      outs(%y : memref<256x32x{type}>)
  return
}}
"""


def ptx_of(module: str) -> str:
    """The text of the one kernel."""
    (text,) = re.findall(r'assembly = "((?:[^"\\]|\\.)*)"', module)
    return re.sub(r"\\([0-9A-F]{2}|\\)", lambda m: _unescaped(m[1]), text).rstrip("\0")


def _unescaped(text: str) -> str:
    return "\\" if text == "\\" else chr(int(text, 16))


@pytest.mark.parametrize("type_", TYPES)
def test_all_codes_and_scales(type_: str, tmp_path: Path) -> None:
    """A row for each scale byte, with all pairs of codes that a byte of the row has."""
    lowered, said = opt(DECODE.format(type=type_), "mxfp4-to-ptx")
    assert lowered, said
    (tmp_path / "decode.ptx").write_text(ptx_of(lowered))
    codes = np.random.default_rng(7).permuted(
        np.tile(np.arange(16, dtype=np.uint8) * 17, (ROWS, 1)), axis=1
    )
    codes = (codes & 15) | np.roll(codes, 1, axis=1) & 240
    scales = np.arange(ROWS, dtype=np.uint8)
    (tmp_path / "codes").write_bytes(codes.tobytes())
    (tmp_path / "scales").write_bytes(scales.tobytes())
    size = ROWS * 32 * np.dtype(TYPES[type_]).itemsize
    command = [
        SIM, tmp_path / "decode.ptx", "--grid", "4", "--block", "256",
        "--arg", f"ro:{tmp_path / 'codes'}", "--arg", f"ro:{tmp_path / 'scales'}",
        "--arg", f"buf:poison:{size}", "--dump", f"2:{tmp_path / 'values'}",
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    values = np.frombuffer((tmp_path / "values").read_bytes(), TYPES[type_]).reshape(ROWS, 32)
    values = values.astype(np.uint32) << (16 if type_ == "bf16" else 0)
    both = np.stack([codes & 15, codes >> 4], axis=-1).reshape(ROWS, 32)
    wanted = formats.decode_table().astype(np.float32)[scales[:, None], both]
    assert np.isnan(values.view(np.float32)[255]).all()
    assert np.isnan(wanted[255]).all()
    assert (values == wanted.view(np.uint32))[:255].all()
