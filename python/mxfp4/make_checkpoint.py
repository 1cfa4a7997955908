# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Write a checkpoint in the exact form of gpt-oss, with random weights.

``python -m mxfp4.make_checkpoint DIR`` makes the MLP part of a model: for each layer the MXFP4
expert tensors with their biases, and the router, under their real names, and ``config.json``.
With ``--vocabulary`` it makes all of a model, which transformers can load and run. Files and index
are laid out as in the real thing, one shard a layer, and one for what is in no layer.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._command import Parser, seed_number, told
from ._files import making, naming, write_together
from ._typed import typed
from .checkpoint import INDEX
from .errors import Error
from .formats import BLOCK, Quantized, bfloat16, quantize

Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Shape:
    """The sizes of a model, by the names of its ``config.json``; gpt-oss's where that is small."""

    num_hidden_layers: int = 1
    num_local_experts: int = 4
    hidden_size: int = 2880
    intermediate_size: int = 2880
    vocab_size: int = 0
    num_attention_heads: int = 64
    num_key_value_heads: int = 8
    head_dim: int = 64

    def __post_init__(self) -> None:
        values = (self.num_hidden_layers, self.num_local_experts,
                  self.hidden_size, self.intermediate_size)  # fmt: skip
        if min(values) < 1 or self.hidden_size % BLOCK or self.intermediate_size % BLOCK:
            raise Error(
                "layers and experts must be at least 1, hidden and intermediate positive multiples "
                f"of 32; got {', '.join(map(str, values))}."
            )
        heads = (self.num_attention_heads, self.num_key_value_heads, self.head_dim)
        if min(heads) < 1 or heads[0] % heads[1] or self.vocab_size < 0:
            raise Error(
                "heads must be a positive multiple of key-value heads, the head dimension positive "
                f"and the vocabulary not negative; got {', '.join(map(str, heads))} and "
                f"{self.vocab_size}."
            )


class _Writer:
    """Random tensors of a shape."""

    def __init__(self, shape: Shape, seed: int, codes: bool) -> None:
        self.shape, self._codes = shape, codes
        self._rng = np.random.default_rng(seed)

    def _normal(self, *shape: int, deviation: float = 1.0) -> NDArray[Any]:
        values = self._rng.standard_normal(shape, dtype=np.float32)
        values *= np.float32(deviation)
        return values.astype(bfloat16)

    def _matrix(self, n: int, k: int) -> Quantized:
        """A matrix of standard deviation near 1/sqrt(K)."""
        if self._codes:  # uniform codes have a deviation near 3
            low = 127 - int(np.rint(np.log2(3 * k**0.5)))
            blocks = self._rng.integers(0, 256, (n, k // BLOCK, BLOCK // 2), np.uint8)
            return Quantized(
                blocks, self._rng.integers(low - 1, low + 1, blocks.shape[:2], np.uint8)
            )
        values = self._rng.standard_normal((n, k), dtype=np.float32)
        values *= np.float32(k**-0.5)
        return quantize(values)

    def _experts(self, name: str, n: int, k: int) -> Tensors:
        experts = self.shape.num_local_experts
        blocks = np.empty((experts, n, k // BLOCK, BLOCK // 2), np.uint8)
        scales = np.empty((experts, n, k // BLOCK), np.uint8)
        for e in range(experts):
            blocks[e], scales[e] = self._matrix(n, k)
        bias = self._normal(experts, n, deviation=0.1)
        return {f"{name}_blocks": blocks, f"{name}_scales": scales, f"{name}_bias": bias}

    def _linear(self, name: str, n: int, k: int) -> Tensors:
        weight = self._normal(n, k, deviation=k**-0.5)
        return {f"{name}.weight": weight, f"{name}.bias": self._normal(n, deviation=0.1)}

    def layer(self, layer: int) -> Tensors:
        """The tensors of a layer: MLP, and attention and norms if there is a vocabulary."""
        s, name = self.shape, f"model.layers.{layer}"
        hidden, inner = s.hidden_size, s.intermediate_size
        router = self._normal(s.num_local_experts, hidden, deviation=hidden**-0.5)
        tensors = {
            **self._experts(f"{name}.mlp.experts.gate_up_proj", 2 * inner, hidden),
            **self._experts(f"{name}.mlp.experts.down_proj", hidden, inner),
            f"{name}.mlp.router.weight": router,
            f"{name}.mlp.router.bias": np.zeros(s.num_local_experts, bfloat16),
        }
        if s.vocab_size:
            queries, keys = (h * s.head_dim for h in (s.num_attention_heads, s.num_key_value_heads))
            tensors |= {
                **self._linear(f"{name}.self_attn.q_proj", queries, hidden),
                **self._linear(f"{name}.self_attn.k_proj", keys, hidden),
                **self._linear(f"{name}.self_attn.v_proj", keys, hidden),
                **self._linear(f"{name}.self_attn.o_proj", hidden, queries),
                f"{name}.self_attn.sinks": self._normal(s.num_attention_heads),
                f"{name}.input_layernorm.weight": np.ones(hidden, bfloat16),
                f"{name}.post_attention_layernorm.weight": np.ones(hidden, bfloat16),
            }
        return tensors

    def outside(self) -> Tensors:
        """The tensors that are in no layer."""
        s = self.shape
        head = self._normal(s.vocab_size, s.hidden_size, deviation=s.hidden_size**-0.5)
        return {
            "model.embed_tokens.weight": self._normal(s.vocab_size, s.hidden_size),
            "model.norm.weight": np.ones(s.hidden_size, bfloat16),
            "lm_head.weight": head,
        }

    def shards(self) -> Iterator[Tensors]:
        """What each file holds."""
        yield from (self.layer(i) for i in range(self.shape.num_hidden_layers))
        if self.shape.vocab_size:
            yield self.outside()


def config_of(shape: Shape) -> dict[str, Any]:
    """``config.json`` as gpt-oss has it."""
    return {
        "architectures": ["GptOssForCausalLM"],
        "model_type": "gpt_oss",
        **shape.__dict__,
        "num_experts_per_tok": min(4, shape.num_local_experts),
        "layer_types": [
            "full_attention" if i % 2 else "sliding_attention"
            for i in range(shape.num_hidden_layers)
        ],
        "sliding_window": 128,
        "attention_bias": True,
        "rms_norm_eps": 1e-05,
        "rope_theta": 150000,
        "rope_scaling": {
            "rope_type": "yarn",
            "factor": 32.0,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "truncate": False,
            "original_max_position_embeddings": 4096,
        },
        "max_position_embeddings": 131072,
        "swiglu_limit": 7.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "quantization_config": {
            "quant_method": "mxfp4",
            "modules_to_not_convert": [
                "model.layers.*.self_attn",
                "model.layers.*.mlp.router",
                "model.embed_tokens",
                "lm_head",
            ],
        },
    }


@typed
def make_checkpoint(
    folder: str | os.PathLike[str],
    shape: Shape,
    *,
    seed: int = 0,
    codes: bool = False,
    progress: bool = False,
) -> None:
    """Write the checkpoint.

    Args:
        folder: made if it is not there.
        shape: the model's sizes; without a vocabulary only the MLP part is written.
        seed: equal seeds give equal bytes.
        codes: draw codes and scales instead of quantizing normal numbers, which is much faster.
        progress: show a progress bar.
    """
    folder = Path(folder)
    count = shape.num_hidden_layers + bool(shape.vocab_size)
    steps: Any = _Writer(shape, seed, codes).shards()
    if progress:
        from tqdm.auto import tqdm

        steps = tqdm(steps, total=count, unit="file", desc="write checkpoint")
    weight_map: dict[str, str] = {}
    size = 0
    with making(folder), tempfile.TemporaryDirectory(prefix=".", dir=folder) as scratch:
        for i, tensors in enumerate(steps):
            file = f"model-{i + 1:05d}-of-{count:05d}.safetensors"
            _save(tensors, Path(scratch) / file, folder / file)
            weight_map |= dict.fromkeys(tensors, file)
            size += sum(t.nbytes for t in tensors.values())
        index = {"metadata": {"total_size": size}, "weight_map": weight_map}
        texts = {"config.json": json.dumps(config_of(shape), indent=2) + "\n",
                 INDEX: json.dumps(index, indent=2, sort_keys=True) + "\n"}  # fmt: skip

        def place() -> None:  # which takes no room
            for file in dict.fromkeys(weight_map.values()):
                (Path(scratch) / file).replace(folder / file)

        # Without an index the folder is no checkpoint, so that none has shards of two.
        files = {folder / name: text for name, text in texts.items()}
        write_together(files, [(folder / INDEX).resolve()], place)


def _save(tensors: dict[str, NDArray[Any]], scratch: Path, file: Path) -> None:
    """Write a file's tensors elsewhere; errors name the file."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    with naming(file, scratch):
        try:
            save_file(tensors, scratch, {"format": "pt"})
        except SafetensorError as e:
            raise OSError(errno.EIO, str(e)) from e


OPTIONS = {
    "--layers": "num_hidden_layers",
    "--experts": "num_local_experts",
    "--hidden": "hidden_size",
    "--intermediate": "intermediate_size",
    "--vocabulary": "vocab_size",
    "--heads": "num_attention_heads",
    "--key-value-heads": "num_key_value_heads",
    "--head-dimension": "head_dim",
}


@told("python -m mxfp4.make_checkpoint")
def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = Parser(prog="python -m mxfp4.make_checkpoint", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write; made if it is not there")
    for option, name in OPTIONS.items():
        parser.add_argument(option, type=int, default=getattr(Shape, name), dest=name,
                            help=f"{name} (default %(default)s)")  # fmt: skip
    parser.add_argument("--codes", action="store_true",
                        help="random codes and scales: no normal numbers, and fast")  # fmt: skip
    parser.add_argument("--seed", type=seed_number, default=0)
    options = vars(parser.parse_args(arguments))
    folder, seed, codes = (options.pop(name) for name in ("folder", "seed", "codes"))
    try:
        make_checkpoint(folder, Shape(**options), seed=seed, codes=codes, progress=True)
    except Error as e:
        parser.exit(1, f"error: {e}\n")
    print(f"wrote {folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
