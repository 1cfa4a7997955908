# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Write the generated parts of docs/Pipelines.md: each pipeline's summary, options and passes.

usage: pipelines.py MXFP4-OPT PAGE [--check]

They come from the program itself: ``--help`` lists the options, ``--dump-pass-pipeline`` the passes
that a pipeline runs. The rest of the page is written by hand, around marks of this kind:

    <!-- mxfp4-to-ptx -->
    <!-- end -->
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from generated import settle

MARK = re.compile(r"<!-- (mxfp4-[\w-]+) -->\n.*?<!-- end -->\n", re.DOTALL)


class Pipeline(NamedTuple):
    """A pipeline as ``--help`` lists it."""

    name: str
    summary: str
    options: list[tuple[str, str, str]]  # name, type, description


def pipelines(tool: str) -> dict[str, Pipeline]:
    """The pipelines of ours, by name."""
    text = subprocess.run([tool, "--help"], capture_output=True, text=True, check=True).stdout
    listed = text.partition("Pass Pipelines:")[2]
    found: dict[str, Pipeline] = {}
    now: Pipeline | None = None
    for line in listed.splitlines()[1:]:
        entry = re.match(r"( +)(?:--|=)([\w-]+)(?:=<([^>]*)>)? +- +(.*)", line)
        is_value = line.lstrip().startswith("=")
        if not entry or (len(entry[1]) < 6 and not is_value):
            break
        indent, name, kind, said = len(entry[1]), entry[2], entry[3] or "", entry[4]
        if indent == 6:
            now = Pipeline(name, said, [])
            if name.startswith("mxfp4-"):
                found[name] = now
        elif now and indent == 8:
            now.options.append((name, kind, said))
        elif now and now.options:  # a value of the option above
            *rest, last = now.options
            now.options[:] = [*rest, (last[0], last[1], f"{last[2]}; `{name}`: {said}")]
    return found


def passes(tool: str, name: str) -> list[str]:
    """The passes that a pipeline runs, a line each; of ours with the options that they get."""
    # No kernel is an error of some, after they have said what they run.
    run = subprocess.run(
        [tool, f"--{name}", "--dump-pass-pipeline"],
        input="module {}", capture_output=True, text=True, check=False,
    )  # fmt: skip
    dumped = re.search(r"^builtin\.module\(\n(.*?)^\)", run.stderr, re.DOTALL | re.MULTILINE)
    if not dumped:
        sys.exit(f"pipelines.py: {name} lists no passes: {run.stderr}")
    lines = []
    for line in dumped[1].splitlines():
        line = re.sub(
            r"(?<![\w-])(?!mxfp4-)([\w-]+)\{[^{}]*\}", r"\1", line.removeprefix("  ").rstrip()
        )
        nested = re.match(r"( *)(mxfp4-on-kernels\{pipeline=)(.*)\}(,?)$", line)
        if not nested:
            lines.append(line)
            continue
        indent, head, inner, comma = nested.groups()
        inner = inner.removeprefix("{").removesuffix("}").strip()
        lines += [indent + head, *f"{indent}  {inner}".replace(",", f",\n{indent}  ").split("\n")]
        lines.append(f"{indent}}}{comma}")
    return lines


def part(tool: str, pipeline: Pipeline, known: dict[str, Pipeline]) -> str:
    """The text between the marks of a pipeline; options of an earlier one are not repeated."""
    lines = [f"{pipeline.summary}.", ""]
    earlier = next(p.name for p in known.values() if p.options == pipeline.options)
    if pipeline.options and earlier != pipeline.name:
        lines.append(f"Its options are those of [{earlier}](#{earlier}).")
    elif pipeline.options:
        lines += ["| option | type | |", "| --- | --- | --- |"]
        lines += [f"| `{name}` | {kind} | {said} |" for name, kind, said in pipeline.options]
    else:
        lines.append("It has no options.")
    lines += ["", "It runs these passes; options are those that ours get when none is given:", ""]
    return "\n".join([*lines, "```", *passes(tool, pipeline.name), "```"])


def page(tool: str, text: str) -> str:
    """The page with its generated parts made anew."""
    known = pipelines(tool)
    marked = MARK.findall(text)
    for name in set(known) ^ set(marked):
        where = "the page has no mark for it" if name in known else "the program has none"
        sys.exit(f"pipelines.py: {name}: {where}")
    return MARK.sub(
        lambda m: f"<!-- {m[1]} -->\n{part(tool, known[m[1]], known)}\n<!-- end -->\n", text
    )


def main() -> int:
    """Command line."""
    tool, file, *options = sys.argv[1:]
    text = page(tool, Path(file).read_text())
    return settle(Path(file), file, text, options == ["--check"], "tools/docs")


if __name__ == "__main__":
    raise SystemExit(main())
