# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which kernels a verification or benchmark needs: listing, compiling and finding them.

Kernels are compiled where the compiler is and run where the GPU is; a folder of artifacts is what
travels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .artifact import Artifact, load_all
from .compile import Compiler
from .devices import facts_of
from .errors import Error
from .problem import Problem

PLACEMENTS = ("register", "shared")


@dataclass(frozen=True)
class Wanted:
    """A kernel for a problem, with decoded weights in registers or in shared memory.

    ``rows`` is the row count that its schedule should be chosen for.
    """

    problem: Problem
    placement: str
    rows: int

    @property
    def options(self) -> str:
        """Options of the pipeline ``mxfp4-to-ptx``."""
        own = f" {self.problem.options}" if self.problem.options else ""
        return f"placement={self.placement} rows-hint={max(self.rows, 1)}{own}"

    @property
    def name(self) -> str:
        """A folder name."""
        p = self.problem
        parts = [
            f"e{p.experts}g{p.experts if p.groups is None else p.groups}n{p.n}k{p.k}",
            p.layout.order,
            p.layout.scales,
            *([p.accumulation] if p.activations == "fp8" else []),
            p.output,
            *(["ids"] if p.expert_ids else []),
            *sorted(p.operands),
            *(["invariant"] if p.batch_invariant else []),
            self.placement,
            f"r{self.rows}",
        ]
        return "-".join(parts)

    def serves(self, artifact: Artifact) -> bool:
        """Whether an artifact is of this problem and placement; its rows are not looked at."""
        m = artifact.manifest
        return self.problem.matches(m) and m.schedule.get("placement") == self.placement


def print_list(wanted: Iterable[Wanted], options: str) -> None:
    """Print one JSON object a line: name, spec, options."""
    for w in wanted:
        line = {"name": w.name, "spec": w.problem.spec(), "options": f"{w.options} {options}"}
        print(json.dumps({**line, "options": line["options"].strip()}))


def compile_all(wanted: Sequence[Wanted], folder: Path, options: str) -> int:
    """Compile what is wanted into subfolders; how many were compiled.

    Kernels whose manifest says that they also serve other row counts are not compiled again.

    Raises:
        Error: with the compiler's diagnostics and the kernel's name.
    """
    from tqdm.auto import tqdm

    made: list[Artifact] = []
    for w in tqdm(wanted, unit="kernel", desc="compile"):
        rows = max(w.rows, 1)
        if any(w.serves(a) and a.manifest.rows_hint and a.manifest.fits_rows(rows) for a in made):
            continue
        try:
            with Compiler() as compiler:
                artifact = compiler.compile(
                    compiler.mlir(w.problem), f"{w.options} {options}".strip()
                )
        except Error as e:
            raise Error(f"{w.name}: {e}") from e
        artifact.save(folder / f"{w.name}{artifact.manifest.device_suffix}")
        made.append(artifact)
    return len(made)


class Shelf:
    """The artifacts of a folder.

    Raises:
        Error: if there are none or one is broken.
    """

    def __init__(self, folder: Path) -> None:
        self.artifacts = load_all(folder)

    def has(self, problem: Problem, placement: str) -> bool:
        """Whether there is a kernel for a problem and placement, whatever its rows."""
        return any(Wanted(problem, placement, 0).serves(a) for a in self.artifacts)

    def problems(self) -> str:
        """The problems of the kernels in the folder, for people."""
        found = dict.fromkeys(
            f"experts={m.experts} n={m.n} k={m.k} order={m.layout.order} scales={m.layout.scales}"
            for m in (a.manifest for a in self.artifacts)
        )
        few = list(found)[:4]
        return "; ".join(few) + (f" and {len(found) - 4} more" if len(found) > 4 else "")

    def find(self, wanted: Wanted) -> Artifact:
        """The artifact whose schedule was chosen for the row count, else one that is correct.

        Raises:
            Error: if there is none for the problem and placement.
        """
        found = [a for a in self.artifacts if wanted.serves(a)]
        if not found:
            raise Error(f"there is no artifact for {wanted.name}; make them with --compile.")
        rows = max(wanted.rows, 1)
        gpu = facts_of()

        def distance(a: Artifact) -> tuple[int, bool]:
            low, high = a.manifest.rows_hint or (1, 2**31)
            is_others = gpu is not None and not gpu.is_like(a.manifest.device)
            return max(low - rows, rows - high, 0), is_others

        def is_named(a: Artifact) -> bool:
            return Path(a.origin).name == f"{wanted.name}{a.manifest.device_suffix}"

        by_name = [a for a in found if is_named(a)]
        return min(by_name or found, key=distance)
