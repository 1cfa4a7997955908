#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs every law on the interpreter and compares with what a GPU gave.

    replay.py LIBRARY [--only SUBSTRING] [--verbose]

LIBRARY is libmxfp4-sim.so. Laws of the manifest must run without a finding, and
where recorded.json has them their outputs must agree: bit for bit, or within
the distance that the manifest allows: "f32:X" is relative, and of results below
one absolute; "ulps:N" is in units in the last place. Laws in exceptions.json are
compared and reported, but do not fail: each entry says why it differs.
"""

import argparse
import base64
import ctypes as C
import json
import os
import struct
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
SWIZZLES = {0: 0, 32: 1, 64: 2, 128: 3}


class TensorMap(C.Structure):
    _fields_ = [
        ("base", C.c_uint64),
        ("rank", C.c_uint32),
        ("element_bytes", C.c_uint32),
        ("dims", C.c_uint64 * 5),
        ("strides", C.c_uint64 * 4),
        ("box", C.c_uint32 * 5),
        ("element_strides", C.c_uint32 * 5),
        ("swizzle", C.c_uint32),
        ("fill_nan", C.c_uint32),
    ]


def load(path):
    lib = C.CDLL(path)
    p, s, u32, u64, i = C.c_void_p, C.c_char_p, C.c_uint32, C.c_uint64, C.c_int
    for name, result, args in [
        ("mxfp4SimParse", p, [s, C.c_size_t, s]),
        ("mxfp4SimModuleOk", i, [p]),
        ("mxfp4SimModuleErrors", s, [p]),
        ("mxfp4SimLaunchCreate", p, [p, s]),
        ("mxfp4SimLaunchDestroy", None, [p]),
        ("mxfp4SimLaunchGrid", None, [p, u32, u32, u32]),
        ("mxfp4SimLaunchBlock", None, [p, u32, u32, u32]),
        ("mxfp4SimAddBuffer", i, [p, p, C.c_size_t, i, i, s]),
        ("mxfp4SimBufferAddress", u64, [p, i]),
        ("mxfp4SimArgBuffer", None, [p, i, u64]),
        ("mxfp4SimArgBytes", None, [p, s, C.c_size_t]),
        ("mxfp4SimEncodeTensorMap", s, [p, p, s]),
        ("mxfp4SimRun", i, [p]),
        ("mxfp4SimDiagnostics", s, [p]),
    ]:
        function = getattr(lib, name)
        function.restype, function.argtypes = result, args
    return lib


def read(name):
    with open(os.path.join(HERE, name), "rb") as f:
        return f.read()


def optional(name):
    return json.loads(read(name)) if os.path.exists(os.path.join(HERE, name)) else {}


def encode(lib, launch, arg, address):
    rank, size = len(arg["dims"]), int(arg["type"][1:]) // 8
    m = TensorMap(base=address, rank=rank, element_bytes=size, swizzle=SWIZZLES[arg["swizzle"]])
    for d in range(rank):
        m.dims[d], m.box[d], m.element_strides[d] = arg["dims"][d], arg["box"][d], 1
        size *= arg["dims"][d]
        if d + 1 < rank:
            m.strides[d] = size
    out = C.create_string_buffer(128)
    error = lib.mxfp4SimEncodeTensorMap(launch, C.byref(m), out)
    if error:
        raise RuntimeError(error.decode())
    return out.raw


def run(lib, module, law):
    """Outputs, and the interpreter's findings."""
    launch = lib.mxfp4SimLaunchCreate(module, law["entry"].encode())
    lib.mxfp4SimLaunchGrid(launch, law["grid"], 1, 1)
    lib.mxfp4SimLaunchBlock(launch, law["block"], 1, 1)
    data, ids = {}, {}
    for n, arg in enumerate(law["args"]):
        if "in" in arg:
            raw = read(arg["in"])
        elif "out" in arg:
            raw = (b"\0" if arg.get("zero") else b"\xa5") * arg["out"]
        else:
            continue
        data[n] = C.create_string_buffer(raw, len(raw))
        ids[n] = lib.mxfp4SimAddBuffer(
            launch,
            C.addressof(data[n]),
            len(raw),
            "in" in arg or arg.get("zero", False),
            "out" in arg,
            f"argument {n}".encode(),
        )
    for n, arg in enumerate(law["args"]):
        if n in ids:
            lib.mxfp4SimArgBuffer(launch, ids[n], 0)
        elif "value" in arg:
            raw = bytes.fromhex(arg["value"])
            lib.mxfp4SimArgBytes(launch, raw, len(raw))
        else:
            raw = encode(lib, launch, arg, lib.mxfp4SimBufferAddress(launch, ids[arg["map"]]))
            lib.mxfp4SimArgBytes(launch, raw, 128)
    errors = lib.mxfp4SimRun(launch)
    found = lib.mxfp4SimDiagnostics(launch).decode() if errors else ""
    lib.mxfp4SimLaunchDestroy(launch)
    return [data[n].raw for n, arg in enumerate(law["args"]) if "out" in arg], found


def place(bits):
    """Where a float is among all floats; both zeros are at one place."""
    return bits if bits < 1 << 31 else (1 << 31) - bits


def apart(got, want, most):
    """Floats that are more than `most` units in the last place apart; one NaN is as another."""
    bad = []
    for i in range(0, len(want) & ~3, 4):
        g, w = struct.unpack_from("<I", got, i)[0], struct.unpack_from("<I", want, i)[0]
        nan = [b & 0x7FFFFFFF > 0x7F800000 for b in (g, w)]
        if nan[0] != nan[1] or (not any(nan) and abs(place(g) - place(w)) > most):
            bad.append((i // 4, f"{g:08x}", f"{w:08x}"))
    return bad


def differences(compare, got, want):
    """Indices and values of the 32-bit words (or bytes) that disagree."""
    if compare == "exact":
        words = range(0, min(len(got), len(want)) & ~3, 4)
        bad = [
            (i // 4, got[i : i + 4][::-1].hex(), want[i : i + 4][::-1].hex())
            for i in words
            if got[i : i + 4] != want[i : i + 4]
        ]
        return bad or ([(0, "length", "length")] if len(got) != len(want) else [])
    how, distance = compare.split(":")
    tolerance = float(distance)
    if how == "ulps":
        return apart(got, want, int(distance))
    bad = []
    for i in range(0, len(want) & ~3, 4):
        g, w = struct.unpack_from("<f", got, i)[0], struct.unpack_from("<f", want, i)[0]
        if g == w or (g != g and w != w):
            continue
        if not abs(g - w) <= tolerance * max(abs(w), 1.0):
            bad.append((i // 4, g, w))
    return bad


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("library")
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    lib = load(args.library)
    recorded, exceptions = optional("recorded.json").get("laws", {}), optional("exceptions.json")
    modules, bad, compared, excused = {}, 0, 0, 0
    laws = [law for law in json.loads(read("manifest.json")) if args.only in law["name"]]
    for law in laws:
        if law["file"] not in modules:
            text = read(law["file"])
            modules[law["file"]] = lib.mxfp4SimParse(text, len(text), law["file"].encode())
            if not lib.mxfp4SimModuleOk(modules[law["file"]]):
                print(lib.mxfp4SimModuleErrors(modules[law["file"]]).decode())
                return 1
        out, found = run(lib, modules[law["file"]], law)
        if found:
            print(f"{law['name']}: the interpreter reports\n{found}")
            bad += 1
            continue
        if law["name"] not in recorded:
            continue
        compared += 1
        wrong = []
        for got, want in zip(out, recorded[law["name"]]):
            wrong += differences(law["compare"], got, zlib.decompress(base64.b64decode(want)))
        if not wrong:
            continue
        if law["name"] in exceptions:
            excused += 1
            if not args.verbose:
                continue
        else:
            bad += 1
        print(f"{law['name']}: {len(wrong)} words differ; (index, here, GPU): {wrong[:6]}")
    print(
        f"{len(laws)} laws ran, {compared} compared with a recording, "
        f"{excused} excused, {bad} failed"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
