# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Write what docs/Devices.md expects of GPUs on which nothing was measured.

usage: expectations.py MXFP4-COMPILE [--check]

The facts of GPUs are those of `mxfp4-compile --list-devices`, the costs of kernels are counts of
the interpreter (docs/costs.json), and what the model does not know is taken from measurements of
an H100 and an H200 (docs/*.json). A page has a mark for each table; the text between the two
lines is written anew:

    <!-- expected: devices -->
    <!-- end -->
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from claims import Claim, said
from generated import settle
from measured import ROOT, table

PAGE = "docs/Devices.md"
MARK = re.compile(r"<!-- expected: ([\w-]+) -->\n.*?<!-- end -->\n", re.DOTALL)
H100, H200 = "h100-sxm", "h200"
FASTER = 14
"""Bytes per clock and SM from which on the chooser takes more warps that decode."""
ISSUED = 4
"""Warp instructions that an SM issues per clock, at most."""
ROLLED = 0.66, 0.77
"""Issue slots that kernels used on an H200 whose loops over K were not unrolled, as those with 12
warps are not: measured on 2026-11-29 with 24 warps (docs/tuning/Decode.md)."""
COOL = 0.9, 0.95
"""Of the rate of slow tensor cores, which no power limit slows down: the rest is tiles' ends."""
N = {"gate_up": 5760, "down": 2880}
K = 2880
BYTES = 17 / 32
"""Of a weight."""

SURE = {
    H100: "measured",
    H200: "measured",
    "h100-pcie": "few rows: sure, 12 warps decode 1.3 times what memory delivers. Many rows: not "
    "sure, because 350 W decide the clock",
    "h100-nvl": "few rows: fairly, if 400 W allow 1785 MHz while memory is busy. Many rows: not "
    "sure, for the same reason",
    "gh200": "fairly: SMs and clocks are the H200's, and its memory is slower than decoding",
    "gh200-144gb": "fairly: an H200 but for its CPU, which shares the power limit",
    "h20": "not very: fewer SMs decode less than memory delivers, whatever the warps; clock and "
    "tensor cores are taken from data sheets",
}


def load(name: str) -> Any:
    """A file of docs/."""
    return json.loads((ROOT / "docs" / name).read_text())


@dataclass(frozen=True)
class Device:
    """The facts of a GPU, and rates that follow from them."""

    name: str
    multiprocessors: float
    clock: float
    tensor_ops: float
    bandwidth: float
    power: float

    @property
    def clocks(self) -> float:
        """Of all SMs, per microsecond."""
        return self.multiprocessors * self.clock

    @property
    def per_clock(self) -> float:
        """Bytes that memory brings to an SM per clock."""
        return self.bandwidth * 1e3 / self.clocks

    @property
    def kind(self) -> str:
        """Whose kernels are chosen."""
        return H200 if self.per_clock >= FASTER else H100


def devices(compiler: str) -> dict[str, Device]:
    """All that have a name."""
    found = subprocess.run([compiler, "--list-devices"], text=True, check=True, capture_output=True)
    result = {}
    for line in found.stdout.splitlines():
        name, facts = line.split(":")
        values = {k: float(v) for k, v in (fact.split("=") for fact in facts.split())}
        result[name] = Device(
            name, values["multiprocessors"], values["clock"], values["tensor-ops"],
            values["bandwidth"], values["power"],
        )  # fmt: skip
    return result


Range = tuple[float, float]


def extent(values: Iterable[float]) -> Range:
    """The least and the greatest."""
    found = list(values)
    return min(found), max(found)


class Model:
    """Two limits of few rows, and the tensor cores under a power limit of many."""

    def __init__(self, all_devices: dict[str, Device]) -> None:
        self.devices = all_devices
        bench, models = load("bench.json")["rows"], load("models-h200.json")["rows"]
        self.few = {
            H100: [r for r in bench if r["routing"] == "uniform" and is_few(r)],
            H200: [r for r in models if is_few(r)],
        }
        self.layers = {H100: load("layer.json")["rows"], H200: load("layer-h200.json")["rows"]}
        self.costs = {c["device"]: c["warp_instructions_per_byte"] for c in load("costs.json")}
        rows = [(d, r) for d, found in self.few.items() for r in found]
        # What memory delivers, as a part of the data sheet's number.
        self.reading = extent(
            moved(r) / r["read"]["median"] / 1e3 / all_devices[d].bandwidth for d, r in rows
        )
        # Issue slots that kernels used where memory brings more than they decode.
        self.slots = extent(
            self.costs[H200] * moved(r) / r["register"]["median"] / all_devices[H200].clocks
            / ISSUED
            for r in self.few[H200]
        )  # fmt: skip
        # Of the read, where memory decides.
        self.best = extent(r["read"]["median"] / r["register"]["median"] for r in self.few[H100])
        many = [r for r in bench if r["routing"] == "uniform" and r["rows"] >= 1024 * r["experts"]]
        # Operations per clock of an SM, as a part of the tensor cores', at an H100's power.
        self.dense = extent(
            r["flops"] / r["register"]["median"] / all_devices[H100].clocks
            / all_devices[H100].tensor_ops
            for r in many
        )  # fmt: skip

    def read(self, d: Device) -> Range:
        """GB/s of a kernel that only reads."""
        return self.reading[0] * d.bandwidth, self.reading[1] * d.bandwidth

    def decode(self, d: Device) -> Range:
        """GB/s of packed weights that warps decode."""
        slots = self.slots if d.kind == H200 else ROLLED
        low, high = (s * ISSUED / self.costs[d.kind] * d.clocks / 1e3 for s in slots)
        return low, high

    def of_read(self, d: Device) -> Range:
        """Few rows: the speed as a part of the read's."""
        low, high = (rate / read for rate, read in zip(self.decode(d), self.read(d), strict=True))
        return min(low, self.best[0]), min(high, self.best[1])

    def weights(self, d: Device, gigabytes: float) -> Range:
        """Microseconds of reading and decoding weights."""
        low, high = (part * read for part, read in zip(self.of_read(d), self.read(d), strict=True))
        return gigabytes * 1e6 / high, gigabytes * 1e6 / low

    def tensor(self, d: Device) -> Range:
        """Many rows: TFLOP/s. Less power per SM lowers the clock, by its square root or more."""
        peak, base = d.clocks * d.tensor_ops / 1e6, self.devices[H100]
        if d.tensor_ops < base.tensor_ops:
            return COOL[0] * peak, COOL[1] * peak
        power = d.power / d.multiprocessors * base.multiprocessors / base.power
        power = min(1.0, power)
        return self.dense[0] * peak * power, self.dense[1] * peak * power**0.5

    def layer(self, experts: int, tokens: int) -> Range:
        """A layer's time from hidden states over that of its two matmuls, where it was measured."""
        return extent(
            r["us"]["ours"] / r["us"]["matmuls"]
            for rows in self.layers.values() for r in rows
            if (r["experts"], r["tokens"]) == (experts, tokens)
        )  # fmt: skip


def moved(row: dict[str, Any]) -> float:
    """Bytes of weights that a case reads, and of its activations and outputs."""
    if "bytes" in row:
        return float(row["bytes"])
    e, rows = row["experts"], row["rows"]
    busy = row.get("busy", e * (1 - (1 - row["top"] / e) ** row["tokens"]))
    return busy * row["n"] * row["k"] * BYTES + 2 * rows * (row["n"] + row["k"])


def is_few(row: dict[str, Any]) -> bool:
    """Whether it has few rows per group, and enough bytes that the launch does not matter."""
    return (
        row["rows"] <= 8 * row["experts"]
        and row["register"].get("median", 0) > 150
        and "median" in row["read"]
    )


def span(values: Range, digits: int = 2) -> str:
    """A range for people."""
    low, high = (f"{v:.{digits}f}" if digits else f"{float(f'{v:.3g}'):.0f}" for v in values)
    return low if low == high else f"{low} to {high}"


def busy(experts: int, tokens: int) -> float:
    """Experts that have rows, top 4 of uniform routing."""
    return experts * (1 - (1 - 4 / experts) ** tokens)


def scaled(values: Range, by: Range) -> Range:
    """Of two ranges, the product."""
    return values[0] * by[0], values[1] * by[1]


def rates(model: Model) -> str:
    """What decides, for each device."""
    lines = []
    for d in model.devices.values():
        part = model.of_read(d)
        slow = model.decode(d)[0] < model.best[0] * model.read(d)[0]
        fast = model.decode(d)[1] < model.best[1] * model.read(d)[1]
        lines.append([
            d.name, f"{d.per_clock:.1f}", span((model.read(d)[0] / 1e3, model.read(d)[1] / 1e3)),
            span((model.decode(d)[0] / 1e3, model.decode(d)[1] / 1e3)), span(part),
            "decoding" if slow and fast else "memory" if not slow else "both",
            span(model.tensor(d), 0), SURE[d.name],
        ])  # fmt: skip
    head = ["device", "bytes per clock and SM", "read, TB/s", "decoding, TB/s",
            "few rows: of the read", "limited by", "many rows: TFLOP/s", "how sure"]  # fmt: skip
    return table(head, lines)


def times(model: Model) -> str:
    """Microseconds of gpt-oss's matmuls and layers."""
    few, many = (128, 64), (32, 8192)
    layer_ours = {
        (name, r["experts"], r["tokens"]): r["us"]["ours"]
        for name, rows in model.layers.items() for r in rows
    }  # fmt: skip
    lines = []
    for d in model.devices.values():
        cells = [d.name]
        gigabytes = {k: busy(*few) * n * K * BYTES / 1e9 for k, n in N.items()}
        flops = {k: 2.0 * 4 * many[1] * n * K for k, n in N.items()}
        low, high = model.tensor(d)
        for case, matmul, both in (
            (few, model.weights(d, gigabytes["gate_up"]),
             model.weights(d, sum(gigabytes.values()))),
            (many, (flops["gate_up"] / high / 1e6, flops["gate_up"] / low / 1e6),
             (sum(flops.values()) / high / 1e6, sum(flops.values()) / low / 1e6)),
        ):  # fmt: skip
            cells.append(span(matmul, 0))
            found = layer_ours.get((d.name, *case))
            cells.append(
                span(scaled(both, model.layer(*case)), 0)
                + (f" (measured: {found:.0f})" if found else "")
            )
        lines.append(cells)
    head = ["device", "gate_up, E = 128, T = 64", "layer, E = 128, T = 64",
            "gate_up, E = 32, T = 8192", "layer, E = 32, T = 8192"]  # fmt: skip
    return table(head, lines)


def page(text: str, model: Model) -> str:
    """The page with its tables made anew."""
    tables = {"devices": rates, "times": times}
    return MARK.sub(
        lambda m: f"<!-- expected: {m[1]} -->\n{tables[m[1]](model)}\n<!-- end -->\n", text
    )


def many_rows(model: Model, device: str) -> Range:
    """Microseconds of both matmuls of 32 experts and 8192 tokens."""
    flops = sum(2.0 * 4 * 8192 * n * K for n in N.values())
    low, high = model.tensor(model.devices[device])
    return flops / high / 1e6, flops / low / 1e6


def claims(model: Model) -> list[Claim]:
    """Figures of the model in the page's sentences."""
    low, high = many_rows(model, H200)
    h100, h200 = model.devices[H100], model.devices[H200]
    few = model.few[H100]
    found = [
        ("interpreter counts # warp instructions per byte of packed weights with 12 decoding warps,"
         " and # with 24",
         [f"{model.costs[name]:.3f}" for name in (H100, H200)]),
        ("kernels on an H200 used # of these slots", [span(model.slots)]),
        ("with 24 warps # in turns with other kernels",
         [span(tuple(rate * 1e3 / h200.clocks for rate in model.decode(h200)), 1)]),
        ("its data sheet, and # as measured",
         [span(extent(moved(r) / r["read"]["median"] / h100.clocks for r in few), 1)]),
        ("us, and # were expected", [f"{low:.0f} to {high:.0f}"]),
    ]  # fmt: skip
    return [Claim(PAGE, text, figures) for text, figures in found]


def main() -> int:
    """Command line."""
    if len(sys.argv) < 2 or sys.argv[2:] not in ([], ["--check"]):
        sys.exit(__doc__)
    model = Model(devices(sys.argv[1]))
    text = page((ROOT / PAGE).read_text(), model)
    for claim in claims(model):
        text = said(claim, text)
    return settle(ROOT / PAGE, PAGE, text, bool(sys.argv[2:]), "tools/docs")


if __name__ == "__main__":
    raise SystemExit(main())
