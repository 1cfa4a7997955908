# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Shared fixtures. The package is imported from the source tree unless it is installed."""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if importlib.util.find_spec("mxfp4") is None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

from mxfp4 import Checkpoint
from mxfp4.make_checkpoint import make_checkpoint
from packing import SHAPE

MODELS = ("torch", "transformers", "jax")


def pytest_configure(config: pytest.Config) -> None:
    """With MXFP4_REQUIRE_MODELS=1 no test is skipped for want of these."""
    config.addinivalue_line("markers", "slow: takes long; `tools/check --fast` leaves it out")
    missing = [name for name in MODELS if importlib.util.find_spec(name) is None]
    if missing and os.environ.get("MXFP4_REQUIRE_MODELS") == "1":
        raise pytest.UsageError(f"{' and '.join(missing)} not installed; run tools/setup --models")


def pytest_collection_finish() -> None:
    """What tests and libraries are made of stays, and is not looked through again for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that differ from test to test and are the same in every run."""
    return np.random.default_rng(list(request.node.nodeid.encode()))


@pytest.fixture(autouse=True)
def torch_draws(request: pytest.FixtureRequest) -> None:
    """What torch draws without a generator is the same in every run, too."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture
def source(tmp_path: Path) -> Checkpoint:
    """A small checkpoint to pack."""
    make_checkpoint(tmp_path / "checkpoint", SHAPE, codes=True)
    return Checkpoint(tmp_path / "checkpoint")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where packed weights go."""
    return tmp_path / "packed"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--ragged", type=int, default=200, help="ragged problems to generate")
    parser.addoption("--routing", type=int, default=60, help="mutants of each routing kernel")
    parser.addoption("--regions", type=int, default=16, help="random epilogues to generate")
    parser.addoption("--fused", type=int, default=40, help="mutants of each fused kernel")
    parser.addoption("--layouts", type=int, choices=(2, 4), default=2,
                     help="layouts of weights for each schedule")  # fmt: skip


@pytest.fixture
def gpu() -> Any:
    """The checks of the verification; a test without torch is skipped."""
    pytest.importorskip("torch")
    from mxfp4.verify import gpu as module

    return module
