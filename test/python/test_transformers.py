# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""gpt-oss of transformers on our experts, on the CPU: its own code around the specification."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; see tools/setup --models")
pytest.importorskip("transformers", reason="see tools/setup --models")

from mxfp4 import Checkpoint, Error, kernels, torch_layer  # noqa: E402
from mxfp4.integrations import check_gpt_oss as check  # noqa: E402
from mxfp4.integrations import gpt_oss_modules, gpt_oss_quantizer  # noqa: E402
from mxfp4.integrations import transformers as ours  # noqa: E402
from mxfp4.layer_spec import LayerSpec  # noqa: E402
from mxfp4.make_checkpoint import Shape, make_checkpoint  # noqa: E402
from mxfp4.packed_checkpoint import pack_checkpoint  # noqa: E402
from safetensors.numpy import load_file, save_file  # noqa: E402

TINY = Shape(2, 8, 96, 64, 64, 4, 2, 32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny")
    make_checkpoint(path, TINY, seed=3)
    return path


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def change_config(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.fixture(scope="module")
def models(folder: Path) -> check.Models:
    return check.Models(folder, "cpu")


@pytest.mark.slow
@torch.no_grad()
def test_results_are_those_of_the_dequantised_path(models: check.Models) -> None:
    ids = models.tokens(4, 24)
    layers = check.check_layers(models, ids)
    assert layers["pass"], layers
    logits = check.check_logits(models, ids)
    assert logits["pass"], logits
    # The layer rounds less often than transformers does: its own errors are half as large.
    assert max(layers["error, ours / transformers"]) < 0.75
    assert logits["share of tokens that are compared"] > 0.75
    assert logits["largest difference / largest logit"] <= 2**-6
    generated = check.check_generation(models, ids[:, :8], 12)
    assert generated["pass"], generated


@pytest.mark.slow
@torch.no_grad()
def test_the_comparison_notices_other_weights(
    models: check.Models, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Gate and up rows of the last layer change places: everything still looks like a model.
    (file,) = copy.glob("model-00002-*")
    tensors = load_file(file)
    for name in ("blocks", "scales", "bias"):
        key = f"model.layers.1.mlp.experts.gate_up_proj_{name}"
        pairs = tensors[key].reshape(8, TINY.intermediate_size, 2, *tensors[key].shape[2:])
        tensors[key] = np.ascontiguousarray(pairs[:, :, ::-1]).reshape(tensors[key].shape)
    save_file(tensors, file, {"format": "pt"})
    monkeypatch.setattr(models, "ours", ours.load(copy))
    ids = models.tokens(2, 8)
    found = check.check_layers(models, ids)
    assert not found["pass"]
    first, last = found["error, ours / transformers"]
    assert first <= check.SLACK < last
    assert not check.check_logits(models, ids)["pass"]


@torch.no_grad()
def test_a_loaded_model_has_no_dequantised_weights(folder: Path, models: check.Models) -> None:
    model = models.ours
    assert not [n for n, _ in model.named_parameters() if n.endswith(("gate_up_proj", "down_proj"))]
    source = Checkpoint(folder)
    stored = sum(t.nbytes for t in source.experts.values())
    packed = sum(b.nbytes for n, b in model.named_buffers() if n.endswith("packed"))
    assert stored <= packed <= 2 * stored, "padded to 64 x 64, and no more"
    assert model.config.quantization_config.quant_method == gpt_oss_quantizer.METHOD
    assert ours.prepare(model) == 0, "the CPU needs no kernels"


@torch.no_grad()
def test_experts_packed_before(folder: Path, models: check.Models, tmp_path: Path) -> None:
    pack_checkpoint(Checkpoint(folder), tmp_path)
    model = ours.load(folder, packed=tmp_path, progress=True)
    ids = models.tokens(1, 9)
    assert torch.equal(model(ids).logits, models.ours(ids).logits)
    with pytest.raises(Error, match="has no mxfp4-packed"):
        ours.load(folder, packed=folder)


@pytest.mark.parametrize(
    "changes", [{"quantization_config": ""}, {"quantization_config": 1.5}, {"torch_dtype": "x"},
                {"torch_dtype": []}],
)  # fmt: skip
def test_a_config_that_transformers_stumbles_over(copy: Path, changes: dict[str, Any]) -> None:
    change_config(copy, **changes)
    with pytest.raises(Error, match=r"config\.json of .* has a value that transformers cannot"):
        ours.load(copy)


def test_weights_packed_from_another_checkpoint_are_refused(
    folder: Path, copy: Path, tmp_path: Path
) -> None:
    # Names, shapes, sizes and times are equal, and one byte is not.
    pack_checkpoint(Checkpoint(folder), tmp_path / "packed")
    tensor = Checkpoint(copy)["model.layers.1.mlp.experts.down_proj"]
    file = next(iter(tensor.files))
    scales = list(tensor.matrices.stored())[1]
    data = bytearray(file.read_bytes())
    data[scales.offset + scales.size - 1] ^= 1
    file.write_bytes(data)
    for path in copy.glob("*.safetensors"):
        stamp = (folder / path.name).stat()
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with pytest.raises(
        Error, match=r"layers\.1\.mlp\.experts\.down_proj.* from other weights than"
    ):
        ours.load(copy, packed=tmp_path / "packed")


def test_what_is_not_there_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(
        ours.AutoConfig, "from_pretrained", lambda name: asked.append(name) or 1 / 0
    )
    for name in ("gpt-oss-20b", "/no/such/folder", "./a/b"):
        with pytest.raises(Error, match=f"{name} does not exist.* hf download OWNER/"):
            ours.load(name)
    assert not asked, "the hub's names have an owner"
    with pytest.raises(ZeroDivisionError):
        ours.load("openai/gpt-oss-20b")
    assert asked == ["openai/gpt-oss-20b"]


@torch.no_grad()
def test_replacing_the_experts_of_a_model(folder: Path, models: check.Models) -> None:
    from transformers import AutoModelForCausalLM, Mxfp4Config

    dequantised = Mxfp4Config(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=dequantised, dtype=torch.bfloat16
    )
    assert ours.replace_experts(model, folder, progress=True, batch_invariant=True) is model
    assert model.model.layers[0].mlp.experts.spec.batch_invariant
    ids = models.tokens(1, 9)
    assert torch.equal(model(ids).logits, models.ours(ids).logits)
    with pytest.raises(Error, match="has no GptOssExperts to replace"):
        ours.replace_experts(model, folder)


@torch.no_grad()
def test_scales_that_do_not_fold_are_packed_raw(copy: Path, models: check.Models) -> None:
    (file,) = copy.glob("model-00001-*")
    tensors = load_file(file)
    scales = tensors["model.layers.0.mlp.experts.down_proj_scales"]
    blocks = tensors["model.layers.0.mlp.experts.down_proj_blocks"]
    scales[0, 0, 0], blocks[0, 0, 0] = 200, 0  # zeros, whatever their scale
    save_file(tensors, file, {"format": "pt"})
    first, second = (layer.mlp.experts for layer in ours.load(copy).model.layers)
    assert (first.down.layout.scales, first.gate_up.layout.scales) == ("raw", "folded")
    assert second.down.layout.scales == "folded"
    x = torch.randn(3, TINY.hidden_size).bfloat16()
    routing = torch.tensor([[0, 1], [0, 2], [7, 0]]), torch.ones(3, 2).bfloat16()
    assert first(x, *routing).isfinite().all()


@torch.no_grad()
def test_a_block_is_one_operator(models: check.Models, monkeypatch: pytest.MonkeyPatch) -> None:
    block = models.ours.model.layers[1].mlp
    assert isinstance(block, gpt_oss_modules.Block)
    x = torch.randn(2, 3, TINY.hidden_size).bfloat16()
    called: list[str] = []
    for name in ("moe", "moe_with_routing"):
        real = getattr(torch_layer, name)
        monkeypatch.setattr(
            torch_layer, name,
            lambda *a, name=name, real=real, **o: called.append(name) or real(*a, **o),
        )  # fmt: skip
    y, scores = block(x)
    assert (y.shape, y.dtype, scores) == (x.shape, x.dtype, None)
    assert called == ["moe"]
    # Called one by one, as by whoever watches the experts, modules give the same but for the
    # rounding of the weights.
    with check.recorded(models.ours, "layers.1.mlp.experts") as calls:
        apart, scores = block(x)
    assert called == ["moe", "moe_with_routing"]
    assert [a.shape for a in calls[0][0]] == [(6, 96), (6, 4), (6, 4)]
    assert scores.shape == (6, 4)
    assert (y - apart).abs().max() <= 2.0**-6 * y.abs().max()


@torch.no_grad()
def test_batch_invariance_reaches_the_operator(folder: Path, models: check.Models) -> None:
    """Kernels of `mxfp4 compile --layer --batch-invariant` serve these layers and no others."""
    model = ours.load(folder, batch_invariant=True)
    experts = model.model.layers[0].mlp.experts
    plain = models.ours.model.layers[0].mlp.experts
    assert experts.spec == replace(plain.spec, batch_invariant=True)
    assert LayerSpec.parse(experts._spec) == experts.spec
    assert model.config.quantization_config.batch_invariant
    assert not models.ours.config.quantization_config.batch_invariant
    ids = torch.arange(12)[None]
    assert torch.equal(model(ids).logits, models.ours(ids).logits), "sums are exact on the CPU"
    # Two matmuls, with torch's sums behind them, do not keep the promise.
    x, of = torch.randn(6, TINY.hidden_size).bfloat16(), torch.zeros(6, 1, dtype=torch.int64)
    for module, warns in ((experts, True), (plain, False)):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            for _ in range(2):
                module(x, of, torch.ones(6, 1))
        assert ["batch_invariant=True is of" in str(w.message) for w in said] == [True] * warns


@torch.no_grad()
def test_logits_of_routers_are_recorded(models: check.Models) -> None:
    ids = models.tokens(1, 5)
    mine = models.ours(ids, output_router_logits=True).router_logits
    theirs = models.bf16(ids, output_router_logits=True).router_logits
    assert len(mine) == len(theirs) == 2
    assert torch.equal(mine[0], theirs[0]), "nothing of ours is before the first router"


@torch.no_grad()
def test_experts_without_a_fused_layer_give_the_same(models: check.Models) -> None:
    experts = models.ours.model.layers[0].mlp.experts
    other = ours.Experts(models.bf16.model.layers[0].mlp.experts)
    other.gate_up, other.down = experts.gate_up, experts.down
    for tokens in (1, 6):
        x = torch.randn(tokens, TINY.hidden_size).bfloat16()
        indices = torch.stack([torch.randperm(8)[:4] for _ in range(tokens)])
        weights = torch.rand(tokens, 4).bfloat16()
        assert experts.is_fused(x, 4)
        assert not other.is_fused(x, 4)
        assert not experts.is_fused(x, 3)
        assert not experts.is_fused(x.float(), 4)
        y, apart = experts(x, indices, weights), other(x, indices, weights)
        assert (y - apart).abs().max() <= 2.0**-5 * y.abs().max()


def test_kernels_for_single_tokens_and_for_many() -> None:
    found = ours.problems(8, 96, 64, 4)
    specs = [(p.n, p.k, p.groups, p.expert_ids, single) for p, single in found]
    assert specs == [(128, 96, None, False, False), (128, 96, 4, True, True),
                     (96, 64, None, False, False), (96, 64, 4, True, True)]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"quantization_config": None}, "says 'gpt_oss' and None"),
        ({"quantization_config": {"quant_method": "fp8"}}, "says 'gpt_oss' and 'fp8'"),
        ({"quantization_config": None, "quantization": {"group_size": 64, "bits": 4}},
         r"is quantised by MLX \(mode affine\), .* expected a checkpoint of transformers"),
        ({"quantization_config": {"group_size": 32, "bits": 4, "mode": "mxfp4"},
          "quantization": {"group_size": 32, "bits": 4, "mode": "mxfp4"}},
         r"MLX \(mode mxfp4\), .* such as openai/gpt-oss-20b\. The experts .* by `mxfp4 pack`"),
        ({"intermediate_size": 32},
         r"gate_up_proj_bias must have shape \[8, 64\] by the model's config, but the checkpoint's "
         r"has \[8, 128\]"),
        ({"vocab_size": 72}, r"lm_head\.weight must have shape \[72, 96\] by the model's config"),
        ({"head_dim": 48}, r"layers\.0\.self_attn\.k_proj\.bias must have shape"),
        ({"num_hidden_layers": 3, "layer_types": None},
         r"no MXFP4 expert tensor 'model\.layers\.2\.mlp\.experts"),
    ],
)  # fmt: skip
def test_checkpoints_that_do_not_fit(copy: Path, changes: dict[str, Any], text: str) -> None:
    change_config(copy, **changes)
    with pytest.raises(Error, match=text):
        ours.load(copy, ignore_mismatched_sizes=True)


def test_other_dtypes_are_refused(folder: Path) -> None:
    with pytest.raises(Error, match=r"dtype must be that, got torch\.float16"):
        ours.load(folder, dtype=torch.float16)


def test_experts_of_another_kind_are_refused(models: check.Models) -> None:
    theirs = models.bf16.model.layers[0].mlp.experts
    empty = ours.Experts(theirs)
    with pytest.raises(Error, match="have no weights yet"):
        empty(torch.zeros(1, 96), torch.zeros(1, 4, dtype=torch.int64), torch.ones(1, 4))
    theirs.is_concatenated = True
    try:
        with pytest.raises(Error, match="has all gates before all ups"):
            ours.Experts(theirs)
    finally:
        theirs.is_concatenated = False
    with pytest.raises(Error, match="Linear is not like GptOssExperts"):
        ours.Experts(torch.nn.Linear(2, 2))


@pytest.mark.slow
def test_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "SMALL", TINY)
    monkeypatch.setattr(check, "NEW_TOKENS", 4)
    file = tmp_path / "out.json"
    assert check.main(["--device", "cpu", "--fp8", "--json", str(file)]) == 0
    assert "5 passed, 0 failed" in capsys.readouterr().out
    report = json.loads(file.read_text())
    assert set(report["checks"]) == {"layers", "logits", "generation", "compiled", "fp8"}
    found = report["checks"]["fp8"]
    for name in ("fp8", "fp8 fast"):
        assert min(found[name]["errors of layers"]) > 0.005
        assert found["bf16"]["divergence"] < found[name]["divergence"] < 0.1
    if not torch.cuda.is_available():
        with pytest.raises(SystemExit):
            check.main([])
        assert "torch sees no CUDA device" in capsys.readouterr().err


@pytest.mark.slow
def test_kernels_are_compiled_for_the_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "MAX_TOKENS", 64)
    monkeypatch.setattr(kernels, "_layers", {})
    count = check.compile_kernels(tmp_path, [TINY])
    assert kernels.add(tmp_path) == count
    try:
        spec = LayerSpec(8, 4, 96, 64, bias=True)
        layer = kernels.layer_kernels(spec)
        for tokens in (1, 4, 5, 64):
            assert layer.has(tokens, "logits")
            assert layer.has(tokens, "ids")
        assert set(layer.starts(64)) >= {1, 5}
        for problem, single in ours.problems(8, 96, 64, 4):
            for rows in (4,) if single else (4, 256):
                assert kernels._ahead_of_time(problem, rows, None, exact=True), (problem, rows)
    finally:
        kernels._shelf = None
