# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""lit configuration: .mlir, .ptx and .test files under test/."""

# ruff: noqa: F821 (lit provides `config` and `lit_config`)

import os
import shutil
import sys

import lit.formats

# `lit test/...` starts here: a build's own configuration knows its tools, and
# loads this file again.
if not hasattr(config, "mxfp4_build"):
    tree = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    build = os.environ.get("MXFP4_BUILD", os.path.join(tree, "build"))
    site = os.path.join(build, "test", "lit.site.cfg.py")
    if not os.path.isfile(site):
        lit_config.fatal(
            f"{build} is no build of mxfp4: it has no test/lit.site.cfg.py. Build first (cmake "
            "--preset release && cmake --build --preset release), or name the folder in "
            "MXFP4_BUILD."
        )
    lit_config.load_config(config, site)
    raise SystemExit  # which ends this file and not lit

config.name = "mxfp4"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".ptx", ".test"]
config.excludes = ["Inputs", "frontends", "laws", "python", "unit", "fuzz"]
config.test_source_root = os.path.join(config.mxfp4_source, "test")

path = [os.path.join(config.mxfp4_build, "bin"), config.llvm_tools]
config.environment["PATH"] = os.pathsep.join([*path, os.environ["PATH"]])
config.substitutions.append(("%mlir_lib", os.path.join(config.llvm_tools, "..", "lib")))

# By its full path, for tests that change PATH.
config.substitutions.append(
    ("%mxfp4_compile", os.path.join(config.mxfp4_build, "bin", "mxfp4-compile"))
)
config.substitutions.append(
    ("%mxfp4_plugin", os.path.join(config.mxfp4_build, "lib", "MXFP4Plugin.so"))
)
config.substitutions.append(("%mxfp4_source", config.mxfp4_source))
config.substitutions.append(("%mxfp4_build", config.mxfp4_build))
config.substitutions.append(("%python", f'"{sys.executable}"'))

# `lit --param fast=1` leaves out tests that take a minute: all kernels there are.
if "fast" not in lit_config.params:
    config.available_features.add("slow")

# A Python that has the packages of ours, which some tests import.
packages = os.path.join(config.mxfp4_source, ".venv", "bin", "python")
if os.access(packages, os.X_OK):
    config.available_features.add("packages")
    config.substitutions.append(("%with_packages", packages))

# ptxas checks resource use; it comes with the Python packages that tools/setup
# installs, or with a CUDA toolkit.
installed = os.path.join(config.mxfp4_source, ".venv", "bin", "ptxas")
ptxas = (
    os.environ.get("MXFP4_PTXAS")
    or (os.access(installed, os.X_OK) and installed)
    or shutil.which("ptxas")
)
if ptxas:
    config.available_features.add("ptxas")
    config.substitutions.append(("%ptxas", ptxas))
    config.environment["MXFP4_PTXAS"] = ptxas
