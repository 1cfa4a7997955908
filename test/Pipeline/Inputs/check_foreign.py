# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels and host code of others stay as they are beside ours, to the character.

Modules of a random choice of parts go through mxfp4-to-ptx. Each part must be found in the output
as it is printed alone, and the PTX of our kernel must be what comes of it alone.

    check_foreign.py SEED OPT [OPTIONS-OF-OPT...]

With stock mlir-opt, which knows ROCDL, parts for it are among the others.
"""

import random
import re
import subprocess
import sys

OURS = """
func.func @{name}(%x: memref<?x64xbf16>, %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
                  %o: memref<3xi32>, %y: memref<?x64xbf16>) {{
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
  return
}}
"""

# Bodies of kernels that lowering by our rules, or any cleaning, would change.
BODIES = {
    "wide_index": """
    gpu.func @k(%a: memref<?xi64>, %n: index) kernel {
      %big = arith.constant 5000000000 : index
      %sum = arith.addi %n, %big : index
      %word = arith.index_cast %sum : index to i64
      %c0 = arith.constant 0 : index
      memref.store %word, %a[%c0] : memref<?xi64>
      gpu.return
    }""",
    "strided": """
    gpu.func @k(%a: memref<?x?xf32, strided<[?, 2], offset: ?>>) kernel {
      %c1 = arith.constant 1 : index
      %v = memref.load %a[%c1, %c1] : memref<?x?xf32, strided<[?, 2], offset: ?>>
      memref.store %v, %a[%c1, %c1] : memref<?x?xf32, strided<[?, 2], offset: ?>>
      gpu.return
    }""",
    "device_functions": """
    func.func @twice(%a: i32) -> i32 {
      %b = arith.addi %a, %a : i32
      return %b : i32
    }
    gpu.func @thrice(%a: i32) -> i32 {
      %b = func.call @twice(%a) : (i32) -> i32
      %c = arith.addi %a, %b : i32
      gpu.return %c : i32
    }
    llvm.func @never(%a: i32) -> i32 {
      %b = llvm.add %a, %a : i32
      llvm.return %b : i32
    }
    gpu.func @k(%a: memref<1xi32>) kernel {
      %c0 = arith.constant 0 : index
      %v = memref.load %a[%c0] : memref<1xi32>
      %w = func.call @twice(%v) : (i32) -> i32
      memref.store %w, %a[%c0] : memref<1xi32>
      gpu.return
    }""",
    "dim": """
    gpu.func @k(%a: memref<?x?xf32>) kernel {
      %c1 = arith.constant 1 : index
      %d = memref.dim %a, %c1 : memref<?x?xf32>
      %w = arith.index_cast %d : index to i32
      %f = arith.sitofp %w : i32 to f32
      memref.store %f, %a[%c1, %c1] : memref<?x?xf32>
      gpu.return
    }""",
    "shared": """
    gpu.func @k(%a: memref<32xf32>) workgroup(%s : memref<32xf32, #gpu.address_space<workgroup>>)
        private(%p : memref<4xf32, #gpu.address_space<private>>) kernel {
      %t = gpu.thread_id x
      %c8 = arith.constant 8 : index
      %all = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
      %b = memref.view %all[%c8][] : memref<?xi8, #gpu.address_space<workgroup>>
          to memref<32xf32, #gpu.address_space<workgroup>>
      %v = memref.load %a[%t] : memref<32xf32>
      memref.store %v, %b[%t] : memref<32xf32, #gpu.address_space<workgroup>>
      gpu.barrier
      %w = memref.load %b[%t] : memref<32xf32, #gpu.address_space<workgroup>>
      memref.store %w, %a[%t] : memref<32xf32>
      gpu.return
    }""",
    # What canonicalize, cse and loop-invariant-code-motion would not leave.
    "untidy": """
    gpu.func @k(%a: memref<?xf32>, %n: index, %i: i32) kernel {
      %c0 = arith.constant 0 : index
      %again = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %zero = arith.constant 0 : i32
      %same = arith.addi %i, %zero : i32
      scf.for %at = %c0 to %n step %c1 {
        %f = arith.sitofp %same : i32 to f32
        %g = arith.sitofp %same : i32 to f32
        %h = arith.addf %f, %g : f32
        memref.store %h, %a[%at] : memref<?xf32>
      } {mine.stages = 4 : i64}
      gpu.return
    }""",
    "vectors": """
    gpu.func @k(%a: memref<2x3x4xf32>, %x: f32) kernel {
      %c0 = arith.constant 0 : index
      %v = vector.broadcast %x : f32 to vector<2x3x4xf32>
      vector.store %v, %a[%c0, %c0, %c0] : memref<2x3x4xf32>, vector<2x3x4xf32>
      gpu.return
    }""",
    "lowered": """
    llvm.mlir.global external @table() {addr_space = 3 : i32} : !llvm.array<0 x i8>
    llvm.func @k(%a: !llvm.ptr, %n: i64) attributes {gpu.kernel, nvvm.kernel} {
      %big = llvm.mlir.constant(5000000000 : i64) : i64
      %sum = llvm.add %n, %big : i64
      llvm.store %sum, %a : i64, !llvm.ptr
      llvm.return
    }""",
    "empty": "",
}
TARGETS = [
    "",
    ' [#nvvm.target<chip = "sm_80">]',
    ' [#nvvm.target<O = 3, chip = "sm_90a", features = "+ptx80">, #nvvm.target]',
]
ROCDL = ' [#rocdl.target<chip = "gfx90a">]'
# Names as tracers give them, and some that are keywords of PTX.
NAMES = ["a", '"jit(f)"', '"two words"', '"\\C3\\A9t\\C3\\A9"', "entry", '"9"', "mxfp4_layer"]

LAUNCH = """
func.func @launch_{number}(%a: memref<?xi64>, %n: index) {{
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0 : index
  %unused = arith.addi %n, %zero : index
  gpu.launch_func @{name}::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
      args(%a : memref<?xi64>, %n : index)
  return
}}
"""
BINARY = """
gpu.binary @binary_{number} [#gpu.object<#nvvm.target<chip = "sm_80">, "\\00\\01text">]
"""
HOST = """
func.func @host_{number}(%a: i32, %b: memref<4x4xf32, strided<[8, 1]>>) -> i32 {{
  %c = arith.constant 0 : i32
  %d = arith.addi %a, %c : i32
  %e = arith.muli %d, %c : i32
  return %d : i32
}}
"""
NESTED = """
module @nested_{number} attributes {{gpu.container_module}} {{
{inner}
}}
"""


def part(rng, number, targets):
    """A part of a module that is not ours."""
    kind = rng.choice(["kernel"] * 6 + ["binary", "host", "nested", "launch"])
    if kind == "binary":
        return BINARY.format(number=number)
    if kind == "host":
        return HOST.format(number=number)
    if kind == "nested":
        return NESTED.format(number=number, inner=part(rng, number, targets))
    name = f'"{number} {rng.choice(NAMES)[1:-1]}"' if rng.random() < 0.3 else f"part_{number}"
    if kind == "launch":
        return f"gpu.module @{name} {{{BODIES['wide_index']}\n}}\n" + LAUNCH.format(
            number=number, name=name
        )
    body = BODIES[rng.choice(sorted(BODIES))]
    attributes = rng.choice(["", " attributes {mine.note = 1 : i32}"])
    return f"gpu.module @{name}{rng.choice(targets)}{attributes} {{{body}\n}}\n"


def run(command, text, pipeline):
    """What a pipeline makes of a module, as text."""
    done = subprocess.run(
        [*command, "--mlir-print-local-scope", f"--pass-pipeline=builtin.module({pipeline})"],
        input=text,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stderr}\n{text}"
    # A time is in the properties of a binary.
    return re.sub(r"ISAToBinaryTimeInMs = \d+|LLVMIRToISATimeInMs = \d+", "time", done.stdout)


def inside(text):
    """What a module holds, without the line that opens it and the one that closes it."""
    return text.strip().split("\n", 1)[1].rsplit("\n", 1)[0] + "\n"


def ptx(text):
    """Our binaries, a line each."""
    return re.findall(r"gpu\.binary @mxfp4_.*", text)


def main():
    """Command line."""
    command = sys.argv[2:]
    targets = TARGETS + ([ROCDL] if "mlir-opt" in command[0] else [])
    rng = random.Random(sys.argv[1])
    choices = ["", "{instruction=mma_sync}", "{placement=shared rows-hint=9}"]
    alone = {o: ptx(run(command, OURS.format(name="layer"), f"mxfp4-to-ptx{o}")) for o in choices}
    for case in range(25):
        parts = [part(rng, 10 * case + i, targets) for i in range(rng.randrange(1, 5))]
        printed = [
            inside(run(command, "module attributes {gpu.container_module} {\n" + p + "}", ""))
            for p in parts
        ]
        parts.insert(rng.randrange(len(parts) + 1), OURS.format(name="layer"))
        text = "module attributes {gpu.container_module} {\n" + "\n".join(parts) + "}"
        options = rng.choice(choices)
        once = run(command, text, f"mxfp4-to-ptx{options}")
        for foreign in printed:
            assert foreign in once, f"changed:\n{foreign}\nin:\n{once}"
        assert len(ptx(once)) == 1, once
        assert ptx(once) == alone[options], once
        # The pipeline again, and the pieces of it, find nothing to do.
        again = run(command, text, f"mxfp4-to-ptx{options},mxfp4-to-ptx,mxfp4-serialize")
        assert again == once, again
        # In the NVVM dialect it belongs to the user, and stays so.
        lowered = run(command, text, "mxfp4-to-ptx{format=none}")
        for foreign in printed:
            assert foreign in lowered, f"changed:\n{foreign}\nin:\n{lowered}"
        assert run(command, text, "mxfp4-to-ptx{format=none},mxfp4-to-ptx") == lowered
    print("25 modules")


if __name__ == "__main__":
    main()
