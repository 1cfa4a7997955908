# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Write a small checkpoint in the exact form of gpt-oss, with random weights.

``python -m mxfp4.make_checkpoint DIR`` makes the MLP part of a model: for each layer the MXFP4
expert tensors with their biases, and the router, under their real names, and ``config.json``.
Files and index are laid out as in the real thing, one shard a layer.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checkpoint import INDEX
from .errors import Error
from .formats import BLOCK, bfloat16, quantize


def _projection(
    rng: np.random.Generator, name: str, experts: int, n: int, k: int
) -> dict[str, NDArray[Any]]:
    """An expert projection of standard deviation 1/sqrt(K): blocks, scales and bias."""
    blocks = np.empty((experts, n, k // BLOCK, BLOCK // 2), np.uint8)
    scales = np.empty((experts, n, k // BLOCK), np.uint8)
    for e in range(experts):
        values = rng.standard_normal((n, k), dtype=np.float32)
        values *= np.float32(k**-0.5)
        blocks[e], scales[e] = quantize(values)
    bias = rng.standard_normal((experts, n), dtype=np.float32) * np.float32(0.1)
    return {
        f"{name}_blocks": blocks,
        f"{name}_scales": scales,
        f"{name}_bias": bias.astype(bfloat16),
    }


def _layer(
    rng: np.random.Generator, layer: int, experts: int, hidden: int, intermediate: int
) -> dict[str, NDArray[Any]]:
    mlp = f"model.layers.{layer}.mlp"
    router = rng.standard_normal((experts, hidden), dtype=np.float32)
    router *= np.float32(hidden**-0.5)
    return {
        **_projection(rng, f"{mlp}.experts.gate_up_proj", experts, 2 * intermediate, hidden),
        **_projection(rng, f"{mlp}.experts.down_proj", experts, hidden, intermediate),
        f"{mlp}.router.weight": router.astype(bfloat16),
        f"{mlp}.router.bias": np.zeros(experts, bfloat16),
    }


def make_checkpoint(
    folder: Path,
    *,
    layers: int = 1,
    experts: int = 4,
    hidden: int = 2880,
    intermediate: int = 2880,
    seed: int = 0,
    progress: bool = False,
) -> None:
    """Write the checkpoint.

    Args:
        folder: made if it is not there.
        layers: number of layers.
        experts: experts a layer.
        hidden: K of gate_up and N of down, a multiple of 32.
        intermediate: half of N of gate_up and K of down, a multiple of 32.
        seed: equal seeds give equal bytes.
        progress: show a progress bar.

    Raises:
        Error: if a number is not positive, or hidden or intermediate is no multiple of 32.
    """
    from safetensors.numpy import save_file

    if min(layers, experts, hidden, intermediate) < 1 or hidden % BLOCK or intermediate % BLOCK:
        raise Error(
            "layers and experts must be at least 1, hidden and intermediate positive multiples of "
            f"32; got {layers}, {experts}, {hidden}, {intermediate}."
        )
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    weight_map: dict[str, str] = {}
    size = 0
    steps: Any = range(layers)
    if progress:
        from tqdm.auto import tqdm

        steps = tqdm(steps, unit="layer", desc="write checkpoint")
    for layer in steps:
        tensors = _layer(rng, layer, experts, hidden, intermediate)
        file = f"model-{layer + 1:05d}-of-{layers:05d}.safetensors"
        save_file(tensors, folder / file, {"format": "pt"})
        weight_map |= dict.fromkeys(tensors, file)
        size += sum(t.nbytes for t in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    (folder / INDEX).write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
    config = {
        "architectures": ["GptOssForCausalLM"],
        "model_type": "gpt_oss",
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_local_experts": experts,
        "num_experts_per_tok": min(4, experts),
        "swiglu_limit": 7.0,
        "hidden_act": "silu",
        "torch_dtype": "bfloat16",
        "quantization_config": {
            "quant_method": "mxfp4",
            "modules_to_not_convert": ["model.layers.*.mlp.router"],
        },
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m mxfp4.make_checkpoint", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write; made if it is not there")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--experts", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=2880)
    parser.add_argument("--intermediate", type=int, default=2880)
    parser.add_argument("--seed", type=int, default=0)
    options = vars(parser.parse_args(arguments))
    folder = options.pop("folder")
    try:
        make_checkpoint(folder, progress=True, **options)
    except Error as e:
        parser.exit(1, f"error: {e}\n")
    print(f"wrote {folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
