# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Check a manifest that mxfp4-compile-manifest.test makes, and that it agrees with the PTX."""

import json
import pathlib
import sys
import zlib

directory = pathlib.Path(sys.argv[1])
manifest = json.loads((directory / "manifest.json").read_text())
ptx = (directory / "kernel.ptx").read_text()

assert (manifest["format"], manifest["version"]) == ("mxfp4-artifact", 4)
assert manifest["target"] == "sm_90a"
assert f".visible .entry {manifest['entry']}(" in ptx
code = (directory / "kernel.ptx").read_bytes()
assert manifest["files"] == {"kernel.ptx": {"bytes": len(code), "crc32": zlib.crc32(code)}}
parts = (directory / "manifest.json").read_text().split('"')  # every second one is a string
assert not any("\\" in part for part in parts)
text = '"'.join(p if i % 2 else "".join(p.split()) for i, p in enumerate(parts))
bare = text.replace(f'"checksum":"{manifest["checksum"]}"', '"checksum":""')
assert int(manifest["checksum"], 16) == zlib.crc32(bare.encode())
by_name = {argument["name"]: argument for argument in manifest["arguments"]}
schedule, launch = manifest["schedule"], manifest["launch"]
tile, warps = schedule["tile"], schedule["warps"]
stage = tile["rows"] // 64 * manifest["weights"]["block_bytes"] + tile["tokens"] * tile["k"] * 2
names = list(by_name)

# Regions follow each other; what the kernel declares is no part of the launch.
end = 0
for region in manifest["budget"]["shared_memory"]:
    if "offset" in region:
        assert region["offset"] == end
        assert region["offset"] % region["alignment"] == 0
        end += region["bytes"]
assert end == launch["dynamic_shared_bytes"]
registers = manifest["budget"]["registers"]
assert registers == {"launch": registers["launch"], "producer": 0, "consumer": 0}
assert schedule["attribute"].startswith("#mxfp4.schedule<instruction = ")


def check_mma_sync():
    """A kernel with expert ids whose weights are decoded to shared memory."""
    assert manifest["problem"] == {
        "experts": 4,
        "groups": 6,
        "n": 100,
        "k": 96,
        "activation": "bf16",
        "output": "f32",
        "expert_ids": True,
        "gather": False,
        "scatter": False,
        "rows_hint": [25, 72],
    }, manifest["problem"]
    assert manifest["weights"] == {
        "layout": "fragment_major",
        "order": "spread",
        "scales": "raw",
        "block_bytes": 2176,
        "proof": "none needed",
    }
    assert names == [
        "x",
        "weights",
        "offsets",
        "expert_ids",
        "y",
        "error",
        "workspace",
        "rows",
    ]
    pointer = {"kind": "pointer", "provider": "caller"}
    expected = {
        "x": {"dtype": "bf16", "align": 16, "shape": ["rows", 96]},
        "weights": {"dtype": "u8", "align": 16, "shape": [4, 2, 2, 2176]},
        "offsets": {"dtype": "i32", "align": 4, "shape": [7]},
        "expert_ids": {"dtype": "i32", "align": 4, "shape": [6]},
        "y": {"dtype": "f32", "align": 8, "shape": ["rows", 100]},
        "error": {"dtype": "i32", "align": 4, "shape": [1], "provider": "launcher"},
        "workspace": {"dtype": "i32", "align": 4, "shape": [2], "provider": "launcher"},
    }
    for name, entry in expected.items():
        assert by_name[name] == {"name": name, **pointer, **entry}, by_name[name]
    assert (schedule["placement"], schedule["decode"]) == ("shared", "exact")
    assert (schedule["k_slices"], tile["token_step"]) == (1, tile["tokens"])
    assert "(8 expected per group)" in schedule["reason"]
    assert launch["block"] == [32 * warps["rows"] * warps["tokens"], 1, 1]
    table = 32  # eight entries, in whole 16-byte units
    assert launch["dynamic_shared_bytes"] == schedule["stages"] * stage + table
    # The decoded tile is static, and so counted by the driver.
    fixed = manifest["budget"]["shared_memory"][-1]
    assert (fixed["name"], fixed["bytes"]) == ("fixed", tile["rows"] * tile["k"] * 2)
    assert f"[{tile['rows'] * tile['k'] * 2}];" in ptx


def check_wgmma():
    """A kernel with three K slices whose tiles have one of four heights."""
    assert manifest["problem"]["rows_hint"] == [9, 40]
    assert manifest["weights"]["proof"] == "every scale byte is at most 128"
    assert names == ["x", "weights", "offsets", "y", "error", "workspace", "rows"]
    # Tiles of 8, 16, 24 or 32 tokens; the kernel takes all maps by value.
    assert (tile["tokens"], tile["token_step"]) == (32, 8)
    assert by_name["x"] == {
        "name": "x",
        "kind": "tensor_maps",
        "dtype": "bf16",
        "align": 16,
        "boxes": [[64, 8], [64, 16], [64, 24], [64, 32]],
        "shape": ["rows", 960],
        "provider": "caller",
    }
    assert f".param .align 64 .b8 {manifest['entry']}_param_0[{4 * 128}]" in ptx
    # Three sets of warps that multiply, a warp that copies for each, and one
    # that hands out tiles.
    assert (schedule["instruction"], schedule["k_slices"]) == ("wgmma", 3)
    assert launch["block"] == [32 * (3 * warps["rows"] + 3 + 1), 1, 1]
    table, sums = 32, tile["rows"] * tile["tokens"] * 4  # six entries; f32
    assert launch["dynamic_shared_bytes"] == schedule["stages"] * stage + sums + table


{"mma_sync": check_mma_sync, "wgmma": check_wgmma}[schedule["instruction"]]()

# The arguments, in the order of the kernel's parameters.
assert ptx.count(".param") >= len(names)
assert by_name["rows"] == {"name": "rows", "kind": "i32", "provider": "launcher"}
assert by_name["workspace"]["dtype"] == "i32"
assert f".reqntid {launch['block'][0]}, 1, 1" in ptx
assert launch["grid"]["rule"] == "persistent"
assert f".minnctapersm {launch['grid']['ctas_per_sm']}" in ptx

assert set(manifest["versions"]) == {"mxfp4", "llvm"}
assert "resources" not in manifest, "nothing was assembled"
