# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The interpreter as a library with the functions of CUDA's driver, where it is built."""

from __future__ import annotations

from pathlib import Path

import pytest
from mxfp4._sim_cuda import driver_file
from mxfp4.errors import Error


@pytest.fixture(scope="module")
def file() -> Path:
    """The interpreter, with the functions of a driver."""
    try:
        return driver_file()
    except Error as error:
        pytest.skip(str(error))
