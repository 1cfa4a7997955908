# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Check the manifest that mxfp4-compile-manifest.test makes, and that it agrees with the PTX."""

import json
import pathlib
import sys

directory = pathlib.Path(sys.argv[1])
manifest = json.loads((directory / "manifest.json").read_text())
ptx = (directory / "kernel.ptx").read_text()

assert (manifest["format"], manifest["version"]) == ("mxfp4-artifact", 2)
assert manifest["target"] == "sm_90a"
assert f".visible .entry {manifest['entry']}(" in ptx
assert manifest["problem"] == {
    "experts": 4,
    "groups": 6,
    "n": 100,
    "k": 96,
    "activation": "bf16",
    "output": "f32",
    "expert_ids": True,
    "rows_hint": [25, 72],
}, manifest["problem"]
assert manifest["weights"] == {
    "layout": "fragment_major",
    "order": "spread",
    "scales": "raw",
    "block_bytes": 2176,
    "proof": "none needed",
}

# The arguments, in the order of the kernel's parameters.
names = [argument["name"] for argument in manifest["arguments"]]
assert names == ["x", "weights", "offsets", "expert_ids", "y", "error", "rows"]
assert ptx.count(".param") >= len(names)
by_name = {argument["name"]: argument for argument in manifest["arguments"]}
assert by_name["x"] == {"name": "x", "kind": "pointer", "dtype": "bf16", "align": 16}
assert by_name["y"] == {"name": "y", "kind": "pointer", "dtype": "f32", "align": 8}
assert by_name["rows"] == {"name": "rows", "kind": "i32"}

schedule, launch = manifest["schedule"], manifest["launch"]
assert (schedule["placement"], schedule["decode"]) == ("shared", "exact")
assert "(8 expected a group)" in schedule["reason"]
threads = 32 * schedule["warps"]["rows"] * schedule["warps"]["tokens"]
assert launch["block"] == [threads, 1, 1]
assert f".reqntid {threads}, 1, 1" in ptx
assert launch["grid"]["rule"] == "persistent"
assert f".minnctapersm {launch['grid']['ctas_per_sm']}" in ptx
tile = schedule["tile"]
stage = tile["rows"] // 64 * manifest["weights"]["block_bytes"] + tile["tokens"] * tile["k"] * 2
table = 32  # seven entries, in whole 16-byte units
assert launch["dynamic_shared_bytes"] == schedule["stages"] * stage + table
# The decoded tile is static, and so counted by the driver.
assert f"[{tile['rows'] * tile['k'] * 2}];" in ptx

assert set(manifest["versions"]) == {"mxfp4", "llvm"}
assert "resources" not in manifest, "nothing was assembled"
