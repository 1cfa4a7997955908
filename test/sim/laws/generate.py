#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the micro-kernels, their inputs and manifest.json, in this folder.

Each law is one instruction (or the few that it cannot do without), run on
deterministic inputs. record.py runs the laws on a GPU, replay.py on the
interpreter, and the results must agree bit for bit, but for the laws whose
manifest entry allows a distance. kit.py has what the families share.
"""

import json
import os
import random
import struct

import arithmetic
import copies
import floating
import kit
import matrix
import memory
import spelling
import synchronise

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = "// Written by generate.py.\n\n.version 8.1\n.target sm_90a\n.address_size 64\n\n"


def write(name, data):
    path = os.path.join(HERE, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


# -- Inputs: eight bytes an element; special values in all pairs, then random.


def pairs(special, rand, seed, pack):
    r = random.Random(seed)
    s = [special[i % len(special)] for i in range(16)]
    out = []
    for which in range(3):
        col = []
        for i in range(256):
            col.append(s[[i % 16, i // 16, (i * 7 + i // 16) % 16][which]])
        col += [rand(r) for _ in range(256)]
        out.append(b"".join(pack(v) for v in col))
    return out


def inputs():
    q = lambda v: struct.pack("<Q", v & (2**64 - 1))
    ints = [
        0,
        1,
        2,
        3,
        0x7F,
        0x80,
        0x7FFF,
        0x8000,
        0xFFFF,
        0x7FFFFFFF,
        0x80000000,
        0xFFFFFFFF,
        0x7FFFFFFFFFFFFFFF,
        0x8000000000000000,
        2**64 - 1,
        0x0123456789ABCDEF,
    ]
    f32 = [
        0,
        0x80000000,
        0x3F800000,
        0xBF800000,
        1,
        0x007FFFFF,
        0x80800000,
        0x7F7FFFFF,
        0x7F800000,
        0xFF800000,
        0x7FC00000,
        0x40490FDB,
        0x3FC00000,
        0x00C00000,
        0x4B800001,
        0xCF000000,
    ]
    f64 = [
        0,
        0x8000000000000000,
        0x3FF0000000000000,
        0xBFF0000000000000,
        1,
        0x000FFFFFFFFFFFFF,
        0x0010000000000000,
        0x7FEFFFFFFFFFFFFF,
        0x7FF0000000000000,
        0xFFF0000000000000,
        0x7FF8000000000000,
        0x400921FB54442D18,
        0x3FF8000000000000,
        0x36A0000000000000,
        0x41E0000000000000,
        0xC3E0000000000000,
    ]
    bf = [
        0,
        0x8000,
        0x3F80,
        0xBF80,
        1,
        0x007F,
        0x8080,
        0x7F7F,
        0x7F80,
        0xFF80,
        0x7FC0,
        0x4049,
        0x3FC0,
        0x00C0,
        0x4B81,
        0xCF00,
    ]
    hf = [
        0,
        0x8000,
        0x3C00,
        0xBC00,
        1,
        0x03FF,
        0x8400,
        0x7BFF,
        0x7C00,
        0xFC00,
        0x7E00,
        0x4248,
        0x3E00,
        0x0600,
        0x6801,
        0xD800,
    ]
    two = lambda lst: [a | lst[(i * 5 + 3) % 16] << 16 for i, a in enumerate(lst)]
    amt = [0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 255]
    kinds = {
        "int": (ints, lambda r: r.getrandbits(64) >> r.choice([0, 0, 31, 48])),
        "f32": (f32, lambda r: r.getrandbits(32)),
        "near": (f32, lambda r: 0x3F800000 + r.getrandbits(25) | r.getrandbits(1) << 31),
        "f64": (f64, lambda r: r.getrandbits(64)),
        "bf": (two(bf), lambda r: r.getrandbits(32)),
        "hf": (two(hf), lambda r: r.getrandbits(32)),
        "amt": (amt, lambda r: r.randrange(0, 70)),
    }
    for seed, (name, (special, rand)) in enumerate(kinds.items()):
        for which, data in enumerate(pairs(special, rand, seed, q)):
            write(f"inputs/{name}{which}.bin", data)
    r = random.Random(99)
    exact = [0x0000, 0x3F80, 0xBF80, 0x4000, 0xC000, 0x3F00, 0x4040, 0xC040, 0x4080]
    write("inputs/tile.bin", b"".join(struct.pack("<H", r.choice(exact)) for _ in range(32768)))
    half = [0x0000, 0x3C00, 0xBC00, 0x4000, 0xC000, 0x3800, 0x4200, 0xC200, 0x4400]
    write("inputs/tileh.bin", b"".join(struct.pack("<H", r.choice(half)) for _ in range(32768)))
    write(
        "inputs/tiler.bin",
        b"".join(
            struct.pack(
                "<H", 0x3F00 + r.getrandbits(7) + 128 * r.randrange(0, 3) | r.getrandbits(1) << 15
            )
            for _ in range(32768)
        ),
    )
    write("inputs/bytes.bin", bytes(r.getrandbits(8) for _ in range(16384)))
    # Near one of both formats of FP8, some of them far from it, and zeros.
    near = [0, *range(0x2C, 0x48)]
    write(
        "inputs/fp8.bin",
        bytes(
            (r.choice(near) if r.random() < 0.9 else r.randrange(0x7C)) | r.choice([0, 128])
            for _ in range(32768)
        ),
    )


def main():
    inputs()
    for fn in [
        arithmetic.integer_laws,
        arithmetic.bit_laws,
        floating.float_laws,
        floating.convert_laws,
        memory.warp_laws,
        memory.memory_laws,
        copies.copy_laws,
        matrix.matrix_laws,
        copies.cluster_laws,
        synchronise.synchronise_laws,
        spelling.spelling_laws,
    ]:
        kit.begin(fn.__name__[: -len("_laws")])
        fn()
        write(f"{kit.family}.ptx", HEAD + "\n".join(kit.families[kit.family]))
    with open(os.path.join(HERE, "manifest.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(entry) for entry in kit.laws) + "\n]\n")
    print(f"{len(kit.laws)} laws")


if __name__ == "__main__":
    main()
