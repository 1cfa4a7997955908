# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What ``mxfp4 inspect`` says of kernels: of one, of those of a layer, and of a folder of both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..artifact import Artifact
    from ..layer_kernels import LayerKernels
    from ..manifest import Manifest
    from ..routing_artifact import RoutingArtifact

Described = tuple[str, dict[str, Any], str]
"""What something is, as data, and as lines for people."""

LAYER = "layer.json"


def kernel(path: Path) -> Described:
    """A folder with a manifest, of a matmul or of routing."""
    artifact = _load(path)
    lines = _matmul(artifact) if _is_matmul(artifact) else _routing(artifact)
    cubin = f"{len(artifact.cubin)} bytes" if artifact.cubin else "none: the driver compiles PTX"
    lines |= {
        "resources": _pairs(artifact.manifest.resources) or "not assembled",
        "arguments": ", ".join(f"{a.name} ({a.kind})" for a in artifact.manifest.arguments),
        "PTX": f"{len(artifact.ptx)} bytes",
        "cubin": cubin,
        "made by": _pairs(artifact.manifest.raw.get("versions", {})),
    }
    return "a compiled kernel", {"manifest": artifact.manifest.raw}, _lines(lines)


def layer(path: Path) -> Described:
    """A folder that has the kernels of a layer."""
    from ..layer_kernels import LayerKernels
    from . import table

    kernels = LayerKernels.load(path)
    activation = asdict(kernels.spec)
    spec = {k: v for k, v in activation.items() if k != "activation"}
    rows = [["kernel", "rows", "instruction", "registers", "spills"]]
    for name, found in kernels.matmuls.items():
        for i, m in enumerate(a.manifest for a in found):
            instruction = str(m.schedule.get("instruction", ""))
            rows.append([f"{name}-{i}", _span(m), instruction, *_used(m.resources)])
    for name, one in kernels.routing.items():
        rows.append([name, "", "", *_used(one.manifest.resources)])
    lines = {
        "layer": _pairs(spec),
        "activation": _pairs(activation["activation"]),
        "device": ", ".join(dict.fromkeys(_devices(kernels))) or "any",
    }
    text = f"{_lines(lines)}\n{table(rows, {1, 3, 4})}"
    return "kernels of a layer", _layer_content(path, kernels), text


def folder(path: Path) -> Described:
    """A folder whose subfolders have kernels."""
    from ..layer_kernels import LayerKernels
    from . import table

    loaded = [_load(p.parent) for p in sorted(path.glob("*/manifest.json"))]
    matmuls = [a for a in loaded if _is_matmul(a)]
    matmuls.sort(key=lambda a: (a.manifest.n, a.manifest.k, a.manifest.rows_hint or (0,)))
    routing = [a for a in loaded if not _is_matmul(a)]
    layers = {p.parent: LayerKernels.load(p.parent) for p in sorted(path.glob(f"*/{LAYER}"))}
    tables = []
    if matmuls:
        rows = [["kernel", "E", "N", "K", "layout", "activations", "rows", "instruction", "device"]]
        for a in matmuls:
            m = a.manifest
            rows.append([Path(a.origin).name, str(m.experts), str(m.n), str(m.k),
                         f"{m.layout.order}, {m.layout.scales}", _activations(m), _span(m),
                         str(m.schedule.get("instruction", "")), _device(m)])  # fmt: skip
        tables.append(table(rows, {1, 2, 3, 6}))
    if routing:
        named = [["kernel", "operation", "of"]]
        named += [[Path(a.origin).name, a.manifest.operation, _pairs(a.manifest.problem)]
                  for a in routing]  # fmt: skip
        tables.append(table(named))
    if layers:
        rows = [["layer", "kernels", "activations", "device"]]
        for where, kernels in layers.items():
            spec = kernels.spec
            fp8 = f"fp8, {spec.accumulation}, scale {spec.activation_scale}"
            rows.append([where.name, str(kernels.count()),
                         fp8 if spec.activations == "fp8" else "bf16",
                         ", ".join(dict.fromkeys(_devices(kernels))) or "any"])  # fmt: skip
        tables.append(table(rows, {1}))
    content = {
        "kernels": [dict(a.manifest.raw) for a in matmuls],
        "routing": [dict(a.manifest.raw) for a in routing],
        "layers": [_layer_content(where, kernels) for where, kernels in layers.items()],
    }
    return "a folder of kernels", content, "\n\n".join(tables)


def _load(path: Path) -> Any:
    """A kernel of a matmul or of routing, as its manifest says."""
    import json

    from .._files import read_input
    from ..artifact import Artifact
    from ..errors import Error
    from ..routing_artifact import RoutingArtifact

    try:
        raw = json.loads(read_input(path / "manifest.json", "a manifest"))
    except (Error, OSError, ValueError, RecursionError):
        raw = None  # `Artifact.load` says what is wrong.
    kind = RoutingArtifact if isinstance(raw, dict) and "operation" in raw else Artifact
    return kind.load(path)


def _is_matmul(artifact: Artifact | RoutingArtifact) -> bool:
    return not hasattr(artifact.manifest, "operation")


def _matmul(artifact: Artifact) -> dict[str, str]:
    """The lines of a matmul that others have not."""
    m = artifact.manifest
    ids = f", {m.groups} groups by a list of expert ids" if m.expert_ids else ""
    moved = "".join(f", {verb} rows" for name, verb in (("gather", "gathers"),
                    ("scatter", "scatters")) if name in m.operands)  # fmt: skip
    invariant = "; a row's bits do not depend on other rows (batch-invariant)"
    return {
        "problem": f"E = {m.experts}, N = {m.n}, K = {m.k}, output {m.output}{ids}{moved}",
        "activations": _activations(m),
        "epilogue": _epilogue(m),
        "rows": f"scheduled for {_span(m, ' .. ')}; right for any number"
        + (invariant if m.batch_invariant else ""),
        "weights": str(m.layout) + ("" if m.columns == "plain" else f", gate and up {m.columns}"),
        "target": m.target,
        "device": f"chosen for {_device(m)}; right on any GPU of the target",
        "schedule": ", ".join(f"{k} {v}" for k, v in m.schedule.items() if k != "reason"),
        "reason": str(m.schedule.get("reason", "")),
        "launch": f"{m.block[0]} threads, {m.dynamic_shared_bytes} bytes of shared memory, "
        f"{m.ctas_per_sm} CTAs per SM",
    }


def _routing(artifact: RoutingArtifact) -> dict[str, str]:
    m = artifact.manifest
    each = "row" if m.grid_rows == 1 else f"{m.grid_rows} rows"
    grid = f"a CTA for each {each}," if m.grid_rows else "one CTA"
    return {
        "operation": f"mxfp4.{m.operation}",
        "of": _pairs(m.problem),
        "target": m.target,
        "launch": f"{grid} of {m.block[0]} threads, {m.dynamic_shared_bytes} bytes of shared "
        "memory",
    }


def _activations(m: Manifest) -> str:
    return f"fp8, sums {m.accumulation}" if m.activation == "e4m3" else m.activation


def _epilogue(m: Manifest) -> str:
    """What the epilogue computes with, without its constants."""
    text = str(m.raw.get("problem", {}).get("epilogue", ""))
    used = dict.fromkeys(re.findall(r"= ((?:arith|math)\.\w+)", text))
    used.pop("arith.constant", None)
    if not text:
        return "none"
    return f"on {'pairs of columns' if m.pairs else 'each column'}: {', '.join(used) or 'a copy'}"


def _device(m: Manifest) -> str:
    return str(m.device.get("name", "any"))


def _devices(kernels: LayerKernels) -> list[str]:
    return [_device(a.manifest) for found in kernels.matmuls.values() for a in found]


def _span(m: Manifest, dots: str = "..") -> str:
    """The rows that a schedule was chosen for."""
    low, high = m.rows_hint or (0, 2**63 - 1)
    if high < 2**31:
        return f"{low}{dots}{high}"
    return f"{low}.." if dots == ".." else f"{low} and more"


def _used(resources: Mapping[str, Any]) -> list[str]:
    return [str(resources.get(name, "-")) for name in ("registers", "spill_bytes")]


def _layer_content(path: Path, kernels: LayerKernels) -> dict[str, Any]:
    return {
        "name": path.name,
        "spec": asdict(kernels.spec),
        "matmuls": {n: [dict(a.manifest.raw) for a in of] for n, of in kernels.matmuls.items()},
        "routing": {n: dict(a.manifest.raw) for n, a in kernels.routing.items()},
    }


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in values.items())


def _lines(values: Mapping[str, str]) -> str:
    return "\n".join(f"{name:11} {value}" for name, value in values.items())
