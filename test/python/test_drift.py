# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How far distributions of the next token are apart."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; see tools/setup --models")

from mxfp4.integrations.drift import drift  # noqa: E402


def test_equal_logits_do_not_drift() -> None:
    logits = torch.randn(2, 5, 7)
    found = drift(logits + 3, logits)
    assert found["logits"] < 1e-6, "a constant changes no distribution"
    assert abs(found["divergence"]) < 1e-9
    assert found["same token"] == 1


def test_by_hand() -> None:
    wanted = torch.log(torch.tensor([[0.75, 0.25], [0.25, 0.75]]))
    found = drift(torch.log(torch.tensor([[0.25, 0.75], [0.375, 0.625]])), wanted)
    kl = [0.75 * math.log(3) + 0.25 * math.log(1 / 3),
          0.25 * math.log(2 / 3) + 0.75 * math.log(1.2)]  # fmt: skip
    assert found["divergence"] == pytest.approx(sum(kl) / 2, rel=1e-6)
    assert found["worst divergence"] == pytest.approx(max(kl), rel=1e-6)
    assert found["same token"] == 0.5


def test_bf16_logits_are_compared_wide() -> None:
    wanted = torch.randn(4, 100)
    off = drift(wanted.bfloat16(), wanted)
    assert 1e-4 < off["logits"] < 4e-3
    assert 0 < off["divergence"] < 1e-5


@pytest.mark.slow
def test_the_tables_of_drift_are_those_that_are_computed() -> None:
    """docs/Numerics.md; that of g2p-en only where the package is installed."""
    pytest.importorskip("transformers", reason="see tools/setup --models")
    script = Path(__file__).resolve().parents[2] / "tools/fp8_drift.py"
    subprocess.run([sys.executable, script, "--check"], check=True)
