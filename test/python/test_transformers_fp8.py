# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""gpt-oss of transformers with the activations of its experts in FP8, on the CPU."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; see tools/setup --models")
pytest.importorskip("transformers", reason="see tools/setup --models")

import mxfp4.fp8  # noqa: E402
from mxfp4 import Checkpoint, Error, layer_reference  # noqa: E402
from mxfp4.checkpoint import INDEX  # noqa: E402
from mxfp4.integrations import check_gpt_oss as check  # noqa: E402
from mxfp4.integrations import transformers as ours  # noqa: E402
from mxfp4.layer_spec import LayerSpec  # noqa: E402
from mxfp4.layout import FP8  # noqa: E402
from mxfp4.make_checkpoint import make_checkpoint  # noqa: E402
from mxfp4.packed_checkpoint import pack_checkpoint  # noqa: E402
from mxfp4.torch_op import GroupedLinear, from_numpy, to_numpy  # noqa: E402
from mxfp4.torch_pack import pack  # noqa: E402
from safetensors.numpy import load_file, save_file  # noqa: E402
from safetensors.torch import load_file as load_torch_file  # noqa: E402
from safetensors.torch import save_file as save_torch_file  # noqa: E402
from test_transformers import TINY  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny-fp8")
    make_checkpoint(path, TINY, seed=5)
    return path


@pytest.fixture(scope="module")
def models(folder: Path) -> dict[str, Any]:
    """Of one checkpoint, by what their activations are."""
    return {
        "bf16": ours.load(folder),
        "fp8": ours.load(folder, activations="fp8"),
        "fast": ours.load(folder, activations="fp8", accumulation="fast"),
        "bound": ours.load(folder, activations="fp8", activation_scale="bound"),
    }


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def rows(tokens: int) -> torch.Tensor:
    return torch.randn(
        tokens, TINY.hidden_size, generator=torch.Generator().manual_seed(1)
    ).bfloat16()


def module(intermediate_size: int) -> SimpleNamespace:
    """What `Experts` reads of a module of transformers, without weights."""
    return SimpleNamespace(
        gate_up_proj_bias=None, down_proj_bias=None, alpha=1.702, limit=7.0, num_experts=8,
        hidden_size=96, intermediate_size=intermediate_size,
    )  # fmt: skip


def routing(tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(2)
    ids = torch.stack([torch.randperm(8, generator=draw)[:4] for _ in range(tokens)])
    return ids, torch.rand(tokens, 4, generator=draw).bfloat16()


@torch.no_grad()
def test_experts_are_those_of_the_definition(folder: Path, models: dict[str, Any]) -> None:
    """Bit for bit, called with indices; and not what they are in bf16."""
    experts = models["fp8"].model.layers[1].mlp.experts
    spec = experts.spec
    assert spec.activations == "fp8"
    assert experts.is_fused(rows(1), 4)
    source = Checkpoint(folder)
    name = "model.layers.1.mlp.experts"
    own = [source[f"{name}.{p}"] for p in ("gate_up_proj", "down_proj")]
    bias = [to_numpy(b) for b in (experts.gate_up_proj_bias, experts.down_proj_bias)]
    for tokens in (1, 7):
        x, (ids, weights) = rows(tokens), routing(tokens)
        y = experts(x, ids, weights)
        wanted = layer_reference.experts(
            spec, to_numpy(x), ids.int().numpy(), weights.float().numpy(), *own, *bias
        )
        assert torch.equal(y, from_numpy(wanted))
        other = models["bf16"].model.layers[1].mlp.experts(x, ids, weights)
        off = check.rms(y - other) / check.rms(other)
        assert 0.005 < off < 0.06, "as large as rounding to E4M3 is"


@torch.no_grad()
def test_logits_drift_by_what_e4m3_rounds(models: dict[str, Any]) -> None:
    ids = torch.randint(0, TINY.vocab_size, (4, 16), generator=torch.Generator().manual_seed(3))
    wanted = models["bf16"](ids).logits
    found = models["fp8"](ids).logits
    assert 0 < check.rms(found - wanted) / check.rms(wanted) < 0.1
    assert torch.equal(found, models["fp8"](ids).logits), "the same bits again"
    assert torch.equal(found, models["fast"](ids).logits), "sums are exact on the CPU"


@torch.no_grad()
def test_the_accumulation_reaches_the_operator(models: dict[str, Any]) -> None:
    for name, sums in (("fp8", "promoted512"), ("fast", "fast")):
        experts = models[name].model.layers[0].mlp.experts
        assert (experts.spec.accumulation, experts.gate_up.accumulation) == (sums, sums)
        config = models[name].config.quantization_config
        assert (config.activations, config.accumulation) == ("fp8", sums)
    assert models["bf16"].config.quantization_config.activations == "bf16"


@torch.no_grad()
def test_the_scale_reaches_the_operator(folder: Path, models: dict[str, Any]) -> None:
    """Other bits, and errors as large."""
    for name, scale in (("fp8", "row"), ("bound", "bound")):
        assert models[name].model.layers[0].mlp.experts.spec.activation_scale == scale
        assert models[name].config.quantization_config.activation_scale == scale
    ids = torch.randint(0, TINY.vocab_size, (4, 16), generator=torch.Generator().manual_seed(3))
    wanted, by_row, by_bound = (models[n](ids).logits for n in ("bf16", "fp8", "bound"))
    assert not torch.equal(by_row, by_bound)
    off = [check.rms(found - wanted) / check.rms(wanted) for found in (by_row, by_bound)]
    assert 0 < off[1] < 2 * off[0] < 0.2
    same = ours.load(folder, activations="fp8", activation_scale=0.125)
    assert torch.equal(same(ids).logits, by_bound), "the bound of gpt-oss's activation"


@torch.no_grad()
def test_without_a_fused_layer(models: dict[str, Any]) -> None:
    """Experts whose number of slots is unknown run as two matmuls in FP8.

    They round to bf16 in other places, so that some codes are neighbours; the errors are as large.
    """
    experts = models["fp8"].model.layers[0].mlp.experts
    exact = models["bf16"].model.layers[0].mlp.experts
    other = object.__new__(ours.Experts)
    other.__dict__ = {**experts.__dict__, "spec": None}
    for tokens in (1, 6):
        x, (ids, weights) = rows(tokens), routing(tokens)
        assert not other.is_fused(x, 4)
        truth = exact(x, ids, weights)
        fused, apart = (check.rms(e(x, ids, weights) - truth) for e in (experts, other))
        assert 0.7 < apart / fused < 1.4


@torch.no_grad()
def test_a_scale_that_two_matmuls_do_not_have_is_said_once(models: dict[str, Any]) -> None:
    def apart(name: str) -> Any:
        experts = object.__new__(ours.Experts)
        own = models[name].model.layers[0].mlp.experts.__dict__
        experts.__dict__ = {**own, "spec": None, "_warned": False}
        return experts

    given = (rows(6), *routing(6))
    by_bound, by_row = apart("bound"), apart("fp8")
    with pytest.warns(UserWarning, match="activation_scale='bound' is of experts that run as one"):
        y = by_bound(*given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(by_bound(*given), y), "nothing is said again"
        assert torch.equal(by_row(*given), y)
        models["bound"].model.layers[0].mlp.experts(*given)


@torch.no_grad()
def test_compiled_without_a_break(models: dict[str, Any]) -> None:
    ids = torch.randint(0, TINY.vocab_size, (1, 5))
    compiled = torch.compile(models["fp8"], fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(ids).logits, models["fp8"](ids).logits)


@torch.no_grad()
def test_replacing_the_experts_of_a_model(folder: Path, models: dict[str, Any]) -> None:
    from transformers import AutoModelForCausalLM, Mxfp4Config

    model = AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=Mxfp4Config(dequantize=True), dtype=torch.bfloat16
    )
    ours.replace_experts(model, folder, activations="fp8", activation_scale="bound")
    ids = torch.randint(0, TINY.vocab_size, (1, 9))
    assert torch.equal(model(ids).logits, models["bound"](ids).logits)


def test_rows_that_e5m2_cannot_hold_are_refused_with_numbers(copy: Path) -> None:
    (file,) = copy.glob("model-00002-*")
    tensors = load_file(file)
    name = "model.layers.1.mlp.experts.down_proj"
    scales, blocks = tensors[f"{name}_scales"], tensors[f"{name}_blocks"]
    blocks[3, 17] |= 0x11
    scales[3, 17] = (100, 126)  # the widest that is held
    save_file(tensors, file, {"format": "pt"})
    assert ours.load(copy, activations="fp8") is not None
    scales[3, 17] = (100, 128)
    blocks[3, 18] |= 0x11
    scales[3, 18] = (90, 127)
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(Error) as told:
        ours.load(copy, activations="fp8")
    assert str(told.value) == (
        f"{name}: expert 3: row 17 has scales from 2^-27 to 2^1, 28 powers of two apart; E5M2 "
        "holds a row exactly if they are at most 26 apart (2 of 96 rows are not); pack these "
        "weights for activations in bf16."
    )
    assert ours.load(copy) is not None, "bf16 takes all"


@torch.no_grad()
def test_experts_packed_before(folder: Path, models: dict[str, Any], tmp_path: Path) -> None:
    """A folder for FP8 gives the same bits; a folder for other activations is refused."""
    pack_checkpoint(Checkpoint(folder), tmp_path / "fp8", "fp8")
    pack_checkpoint(Checkpoint(folder), tmp_path / "bf16")
    ids = torch.randint(0, TINY.vocab_size, (1, 9))
    for name, options in (("fp8", {}), ("fast", {"accumulation": "fast"})):
        model = ours.load(folder, packed=tmp_path / "fp8", activations="fp8", **options)
        assert torch.equal(model(ids).logits, models[name](ids).logits)
    with pytest.raises(
        Error, match=r"packed for activations in fp8, but this model's are in bf16; load it with"
    ):
        ours.load(folder, packed=tmp_path / "fp8")
    with pytest.raises(Error, match=r"in bf16, .* or pack it with mxfp4 pack --activations fp8"):
        ours.load(folder, packed=tmp_path / "bf16", activations="fp8")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"activations": "int8"}, 'activations must be "bf16" or "fp8", got \'int8\''),
        ({"accumulation": "fast"}, 'accumulation is a choice with activations="fp8"'),
        ({"activations": "fp8", "accumulation": "slow"}, "accumulation must be one of"),
        ({"activation_scale": "bound"}, "activation_scale='bound' needs activations=\"fp8\""),
        ({"activations": "fp8", "activation_scale": "rows"}, "activation_scale must be"),
    ],
)
def test_options_that_are_refused(folder: Path, options: dict[str, str], text: str) -> None:
    for call in (ours.load, lambda f, **o: ours.replace_experts(torch.nn.Module(), f, **o)):
        with pytest.raises(Error, match=text):
            call(folder, **options)


@pytest.mark.parametrize("lost", ["mlp.experts.down_proj_bias", "self_attn.sinks"])
def test_tensors_that_are_missing_are_an_error(copy: Path, lost: str) -> None:
    """transformers gives them random values and goes on."""
    index = copy / INDEX
    table = json.loads(index.read_text())
    name = f"model.layers.0.{lost}"
    file = copy / table["weight_map"].pop(name)
    index.write_text(json.dumps(table))
    tensors = load_torch_file(file)
    del tensors[name]
    save_torch_file(tensors, file)
    with pytest.raises(Error, match=rf"has no model\.layers\.0\.{lost}, which would have random"):
        ours.load(copy)
    with pytest.raises(Error, match="load takes no output_loading_info"):
        ours.load(copy, output_loading_info=True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"accumulation": "fast"}, "accumulation='fast' needs activations=\"fp8\""),
        ({"activation_scale": "bound"}, "activation_scale='bound' needs activations=\"fp8\""),
        ({"activations": "fp8", "activation_scale": "rows"}, "activation_scale must be"),
        ({"activations": "fp4"}, "activations must be"),
    ],
)
@pytest.mark.parametrize("slots", [None, 4])
def test_options_that_experts_refuse(slots: int | None, options: dict[str, str], text: str) -> None:
    theirs = module(intermediate_size=64)
    ours.Experts(theirs, slots)
    with pytest.raises(Error, match=text):
        ours.Experts(theirs, slots, **options)


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    source = Checkpoint(folder)
    names = [f"model.layers.0.mlp.experts.{p}_proj" for p in ("gate_up", "down")]
    own = [pack(source[name], "cpu") for name in names]
    ours.Experts(module(intermediate_size=64)).set_weights(*own)
    text = "gate_up_proj must have E, N, K = 8, 64, 96 in this model, but .* has 8, 128, 96"
    with pytest.raises(Error, match=text):
        ours.Experts(module(intermediate_size=32)).set_weights(*own)


@torch.no_grad()
def test_powers_survive_a_change_of_type(folder: Path) -> None:
    tensor = Checkpoint(folder)["model.layers.0.mlp.experts.down_proj"]
    linear = GroupedLinear(pack(tensor, "cpu", FP8), "fast")
    before = linear.powers.clone()
    for change in (linear.bfloat16, linear.half, lambda: linear.to(torch.float64)):
        change()
        assert linear.powers.dtype == torch.float32
        assert torch.equal(linear.powers, before)
    assert str(linear).endswith("scales=relative), fast)")
    offsets = torch.tensor([0, 2, 2, 3, 3, 3, 3, 3, 3], dtype=torch.int32)
    x = torch.randn(3, linear.k).bfloat16()
    wanted = mxfp4.grouped_matmul(x, linear.weights, offsets, accumulation="fast")
    assert torch.equal(linear(x, offsets), wanted)
    state = linear.state_dict()
    assert set(state) == {"packed", "powers", "_extra_state"}
    again = GroupedLinear(pack(tensor, "cpu", FP8))
    again.powers.zero_()
    again.load_state_dict(state)
    assert torch.equal(again.powers, before)
    with pytest.raises(Error, match=r"the state's packed is torch\.uint8"):
        GroupedLinear(pack(tensor, "cpu")).load_state_dict(state)
    with pytest.raises(Error, match=r"accumulation='fast' is a choice for activations in FP8"):
        GroupedLinear(pack(tensor, "cpu"), "fast")
    with pytest.raises(Error, match=r"accumulation must be one of .*got 'slow'"):
        GroupedLinear(pack(tensor, "cpu", FP8), "slow")


def test_a_spec_in_fp8_is_the_same_layer(models: dict[str, Any]) -> None:
    spec = models["fp8"].model.layers[0].mlp.experts.spec
    assert spec == LayerSpec(8, 4, 96, 64, spec.activation, bias=True, activations="fp8")
