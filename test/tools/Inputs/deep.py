# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes MLIR that nests 100,000 deep, in each way that MLIR nests, and MLIR that is only long."""

import sys

N = 100_000
TEXTS = {
    "regions": "module {" * N + "}" * N,
    "types": "func.func private @f(" + "tuple<" * N + "i1" + ">" * N + ")",
    "attributes": "module attributes {a = " + "[" * N + "]" * N + "} {}",
    "aliases": "!a0 = tuple<i1>\n"
    + "".join(f"!a{i} = tuple<!a{i - 1}>\n" for i in range(1, N))
    + f"func.func private @f(!a{N - 1})",
    "attribute-aliases": "#a0 = [1]\n"
    + "".join(f"#a{i} = [#a{i - 1}]\n" for i in range(1, N))
    + f"module attributes {{a = #a{N - 1}}} {{}}",
    "locations": '#loc0 = loc("a")\n'
    + "".join(f'#loc{i} = loc(callsite("b" at #loc{i - 1}))\n' for i in range(1, N))
    + f"module {{}} loc(#loc{N - 1})",
    "lines": "!a0 = tuple<i1>\n"
    + "".join(f"!a{i} // (\n = tuple // [\n<() ->\n !a{i - 1}>\n" for i in range(1, N))
    + f"func.func private @f(!a{N - 1})",
    "minus": "#map = affine_map<(d0) -> (" + "-" * N + "d0)>",
    "close": "#map = affine_map<(d0, d1) -> (d0" + "-d1" * N + ")>",
    "plus": "#map = affine_map<(d0) -> (d0"
    + "".join(f" + d0 floordiv {i + 2}" for i in range(N))
    + ")>",
    "mod": "#map = affine_map <(d0)[s0] -> (d0" + " mod s0" * N + ")>",
    "wide": "// ((((\n#map = affine_map<(d0, d1) -> ("
    + ", ".join(["d0 + d1"] * 3000)
    + ")>\n"
    + "".join(f'#loc{i} = loc("{"(" * 50}")\n' for i in range(2999))
    + "module attributes {mxfp4.m = #map} {} loc(#loc2998)\n",
}

for name, text in TEXTS.items():
    with open(f"{sys.argv[1]}.{name}.mlir", "w", encoding="utf-8") as file:
        file.write(text)
