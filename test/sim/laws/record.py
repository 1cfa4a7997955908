#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs every law of manifest.json on a GPU and writes what it gave.

    record.py OUT_FOLDER [--only SUBSTRING]

writes OUT_FOLDER/recorded.json, which belongs beside manifest.json. It needs
Python 3 and the CUDA driver (libcuda.so.1), nothing else: no numpy, no toolkit.
The driver compiles the PTX; where a file NAME.cubin lies beside NAME.ptx it is
loaded instead.

The laws run in a child process. A law that breaks the CUDA context, or hangs,
costs that child only: it is noted as failed, and a fresh child goes on with the
next one. After 55 seconds no further law is begun.
"""

import argparse
import base64
import ctypes
import hashlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
TYPES = {"b8": 0, "b16": 1, "b32": 2, "b64": 4}
SWIZZLES = {0: 0, 32: 1, 64: 2, 128: 3}
LAW_SECONDS = 15
TOTAL_SECONDS = 55


def read(name):
    with open(os.path.join(HERE, name), "rb") as f:
        return f.read()


def manifest():
    return json.loads(read("manifest.json"))


# -- The child: the driver through ctypes.


class Cuda:
    def __init__(self):
        self.lib = ctypes.CDLL("libcuda.so.1")
        self.call("cuInit", 0)
        device = ctypes.c_int()
        self.call("cuDeviceGet", ctypes.byref(device), 0)
        self.context = ctypes.c_void_p()
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(self.context), device)
        self.call("cuCtxSetCurrent", self.context)
        name = ctypes.create_string_buffer(128)
        self.call("cuDeviceGetName", name, 128, device)
        version = ctypes.c_int()
        self.call("cuDriverGetVersion", ctypes.byref(version))
        self.about = {"device": name.value.decode(), "driver": version.value}
        self.modules = {}

    def call(self, name, *args):
        code = getattr(self.lib, name)(*args)
        if code:
            text = ctypes.c_char_p()
            self.lib.cuGetErrorString(code, ctypes.byref(text))
            why = text.value.decode() if text.value else "unknown error"
            raise RuntimeError(f"{name}: {why} ({code})")

    def module(self, file):
        if file not in self.modules:
            cubin = file.replace(".ptx", ".cubin")
            image = read(cubin if os.path.exists(os.path.join(HERE, cubin)) else file) + b"\0"
            handle = ctypes.c_void_p()
            log = ctypes.create_string_buffer(8192)
            # CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES
            keys = (ctypes.c_int * 2)(5, 6)
            values = (ctypes.c_void_p * 2)(ctypes.cast(log, ctypes.c_void_p), 8192)
            code = self.lib.cuModuleLoadDataEx(ctypes.byref(handle), image, 2, keys, values)
            if code:
                raise RuntimeError(
                    f"cannot load {file} ({code}): {log.value.decode(errors='replace')[:500]}"
                )
            self.modules[file] = handle
        return self.modules[file]

    def tensor_map(self, arg, address):
        class Map(ctypes.Structure):
            _fields_ = [("bytes", ctypes.c_uint8 * 128)]

        raw = ctypes.create_string_buffer(128 + 64)
        at = (ctypes.addressof(raw) + 63) & ~63
        rank, dims, box = len(arg["dims"]), arg["dims"], arg["box"]
        size = int(arg["type"][1:]) // 8
        strides = []
        for d in dims[:-1]:
            size *= d
            strides.append(size)
        u64, u32 = ctypes.c_uint64, ctypes.c_uint32
        self.call(
            "cuTensorMapEncodeTiled",
            ctypes.c_void_p(at),
            TYPES[arg["type"]],
            rank,
            ctypes.c_void_p(address),
            (u64 * rank)(*dims),
            (u64 * max(1, rank - 1))(*strides),
            (u32 * rank)(*box),
            (u32 * rank)(*([1] * rank)),
            0,
            SWIZZLES[arg["swizzle"]],
            0,
            0,
        )
        return Map.from_buffer_copy(ctypes.string_at(at, 128))

    def run(self, law):
        function = ctypes.c_void_p()
        self.call(
            "cuModuleGetFunction",
            ctypes.byref(function),
            self.module(law["file"]),
            law["entry"].encode(),
        )
        buffers, sizes = {}, {}
        for i, arg in enumerate(law["args"]):
            if "in" in arg:
                data = read(arg["in"])
            elif "out" in arg:
                data = (b"\0" if arg.get("zero") else b"\xa5") * arg["out"]
            else:
                continue
            p = ctypes.c_uint64()
            self.call("cuMemAlloc_v2", ctypes.byref(p), ctypes.c_size_t(len(data)))
            self.call("cuMemcpyHtoD_v2", p, data, ctypes.c_size_t(len(data)))
            buffers[i], sizes[i] = p, len(data)
        params = [
            buffers[i]
            if i in buffers
            else ctypes.create_string_buffer(bytes.fromhex(arg["value"]))
            if "value" in arg
            else self.tensor_map(arg, buffers[arg["map"]].value)
            for i, arg in enumerate(law["args"])
        ]
        pointers = (ctypes.c_void_p * len(params))(
            *[ctypes.cast(ctypes.byref(p), ctypes.c_void_p) for p in params]
        )
        self.call(
            "cuLaunchKernel",
            function,
            law["grid"],
            1,
            1,
            law["block"],
            1,
            1,
            0,
            None,
            pointers,
            None,
        )
        self.call("cuCtxSynchronize")
        out = []
        for i, arg in enumerate(law["args"]):
            if "out" in arg:
                host = ctypes.create_string_buffer(sizes[i])
                self.call("cuMemcpyDtoH_v2", host, buffers[i], ctypes.c_size_t(sizes[i]))
                out.append(base64.b64encode(zlib.compress(host.raw, 9)).decode())
        for p in buffers.values():
            self.call("cuMemFree_v2", p)
        return out


def child(first, only):
    cuda = Cuda()
    print(json.dumps({"about": cuda.about}), flush=True)
    for index, law in enumerate(manifest()):
        if index < first or only not in law["name"]:
            continue
        print(json.dumps({"begin": index}), flush=True)
        try:
            print(json.dumps({"end": index, "out": cuda.run(law)}), flush=True)
        except Exception as error:
            # The context may be broken for good: the parent starts afresh.
            print(json.dumps({"end": index, "error": str(error)}), flush=True)
            return


# -- The parent.


def run_child(first, only, result, laws, deadline):
    """Runs a child until it ends; returns the index to go on with."""
    process = subprocess.Popen(
        [sys.executable, os.path.abspath(__file__), "--child", str(first), "--only", only],
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = queue.Queue()

    def pump():
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=pump, daemon=True).start()
    at, begun = first, None
    while True:
        try:
            line = lines.get(
                timeout=max(0.1, min(LAW_SECONDS + 15 * (begun is None), deadline - time.time()))
            )
        except queue.Empty:
            process.kill()
            if begun is None:
                result["failed"]["(start)"] = "the CUDA driver did not start in time"
                return len(laws)
            result["failed"][laws[begun]["name"]] = "timed out"
            return begun + 1
        if line is None:
            process.wait()
            if begun is not None:
                result["failed"][laws[begun]["name"]] = "the process died"
                return begun + 1
            if at == first and process.returncode:
                result["failed"]["(start)"] = "the CUDA driver cannot be used"
                return len(laws)
            return at if at > first else len(laws)
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if "about" in message:
            result.update(message["about"])
        elif "begin" in message:
            begun = message["begin"]
        elif "end" in message:
            begun, at = None, message["end"] + 1
            law = laws[message["end"]]
            if "error" in message:
                result["failed"][law["name"]] = message["error"]
                process.wait()
                return at
            result["laws"][law["name"]] = message["out"]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", nargs="?", help="folder for recorded.json")
    parser.add_argument("--only", default="", help="laws whose name contains this")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child is not None:
        child(args.child, args.only)
        return 0
    if not args.out:
        parser.error("name the folder for recorded.json")
    laws = manifest()
    result = {
        "files": {
            f: hashlib.sha256(read(f)).hexdigest() for f in sorted({law["file"] for law in laws})
        },
        "laws": {},
        "failed": {},
    }
    deadline = time.time() + TOTAL_SECONDS
    at, last = 0, -1
    while at < len(laws) and time.time() < deadline:
        last, at = at, run_child(at, args.only, result, laws, deadline)
        if at <= last:
            break
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "recorded.json"), "w") as f:
        json.dump(result, f, indent=0)
    print(
        f"{len(result['laws'])} laws recorded on {result.get('device', 'no device')}, "
        f"{len(result['failed'])} failed"
    )
    for name, why in result["failed"].items():
        print(f"  {name}: {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
