# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Put the pages of the site together, for mkdocs.

usage: site_pages.py FOLDER

Pages of the tree keep their places, so that their links work as they are. A link to a file that is
no page becomes its path as text, if the file exists; other links are left for mkdocs to refuse.
References are written from the comments of C headers and, by mkdocstrings, from docstrings.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [p for folder in ("", "docs", "docs/tuning") for p in sorted((ROOT / folder).glob("*.md"))]
ASSETS = [p for p in (ROOT / "docs").iterdir() if p.suffix in (".svg", ".png", ".json")]
HEADERS = {
    "mxfp4-c/mxfp4.h": "C interface of the compiler",
    "mxfp4-c/Runtime.h": "C interface of the runtime",
    "mxfp4-c/Sim.h": "C interface of the interpreter",
}
MODULES = {
    "Numbers and weights": [
        "formats",
        "layout",
        "weights",
        "packing",
        "checkpoint",
        "packed_checkpoint",
    ],
    "Activations in FP8": ["fp8", "fp8_sums", "layout_bytes"],
    "Compiling": ["problem", "compile", "artifact", "module"],
    "Calling": ["ops", "kernels", "runtime", "torch_op", "simulator"],
    "Layers": [
        "layer_spec",
        "activation",
        "routing",
        "layer_steps",
        "layer_kernels",
        "layer",
        "layer_reference",
    ],
    "Other libraries": [
        "integrations.transformers",
        "integrations.jax",
        "integrations.torch_export",
    ],
}
"""Modules of the reference, in its order."""

STYLE = """\
/* Charts have a white ground; in the dark scheme it gets a margin. */
[data-md-color-scheme="slate"] article img { background: #fff; padding: 4px; border-radius: 4px; }
.md-grid { max-width: 76rem; }
.md-typeset table:not([class]) { font-size: 0.66rem; }
.md-typeset table:not([class]) th { min-width: 0; padding: 0.4em 0.8em; }
.md-typeset table:not([class]) td { padding: 0.4em 0.8em; }
.md-typeset table:not([class]) td:first-child code { white-space: nowrap; }
.md-typeset table:not([class]) td code { word-break: normal; }
.md-typeset h1, .md-typeset h2 { color: inherit; font-weight: 400; }
"""
LINK = re.compile(r"(?<!!)\[((?:[^\]\[]|\[[^\]]*\])*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def linked(text: str, page: Path) -> str:
    """A page's text, without links to files that the site does not have."""
    staged = {*PAGES, *ASSETS}

    def replace(match: re.Match[str]) -> str:
        label, target, _ = match.groups()
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        path = (page.parent / target).resolve()
        if path in staged or not path.exists():
            return match[0]
        header = path.relative_to(ROOT / "include") if (ROOT / "include") in path.parents else None
        if str(header) in HEADERS:
            up = "../" * len(page.parent.relative_to(ROOT).parts)
            return f"[{label}]({up}reference/{path.stem}.md)"
        where = path.relative_to(ROOT)
        return f"{label} (`{where}`)" if str(where) not in label else label

    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(p if p.startswith("```") else LINK.sub(replace, p) for p in parts)


def said_by(comment: str) -> str:
    """What a comment of C says, without its frame; examples, which are indented, as code."""
    lines = []
    for line in comment.splitlines():
        if not re.search(r"===|SPDX", line):
            line = re.sub(r"^\s*(?:/\*+<? ?|\|\* ?|\* {1,2}|\*$)|\s*(?:\*\||\*+/)$", "", line)
            lines.append(f"    {line}" if line.startswith("  ") else line)
    text = "\n".join(lines).strip("\n")
    return re.sub(r"(?m)(^(?! {4}).+\n)(?= {4})", r"\1\n", text)


def declarations(text: str) -> list[tuple[str, str]]:
    """Doc comments and what each stands before; sections as `("", "/* title --- */")`."""
    left_out = r"^ *#(?!define \w+ [(\d]).*(?:\\\n.*)*$|^extern \"C\".*$|^}\s*$"
    text = re.sub(left_out, "", text, flags=re.MULTILINE)
    text = re.sub(r"\bMXFP4(?:RT|_SIM)?_API\s+", "", text)
    found, comment, code, depth = [], "", [], 0
    for piece in re.split(r"(/\*.*?\*/|\n)", text, flags=re.DOTALL):
        if not depth and not code and piece.startswith("/**"):
            comment = piece
        elif not depth and not code and re.fullmatch(r"/\* .* -+ \*/", piece):
            found.append(("", piece))
        elif not code and not piece.strip():
            continue
        elif depth or code or not piece.startswith("/*"):
            code.append(piece)
            depth += piece.count("{") - piece.count("}")
            ends = piece.rstrip().endswith(";") or piece.startswith("#define")
            if not depth and ends:
                found.append((comment, "".join(code).strip()))
                comment, code = "", []
    return found


def name_of(code: str) -> str:
    """The name that a declaration is for."""
    pointer = re.search(r"\(\*(\w+)\)\(", code)
    function = re.search(r"(\w+)\(", code)
    if code.startswith("#define"):
        return code.split()[1]
    if code.startswith("typedef") and (pointer or not function or "{" in code):
        return pointer[1] if pointer and "{" not in code else re.findall(r"\w+", code)[-1]
    return function[1] if function else code


def header_page(name: str, title: str) -> str:
    """The reference of a header: its introduction, then each declaration with what it says."""
    text = (ROOT / "include" / name).read_text()
    frame = re.match(r"/\*===.*?\*/", text, re.DOTALL)
    assert frame, f"{name} has no introduction"
    out = [f"# {title}", "", f"`#include <{name}>`", "", said_by(frame[0]), ""]
    for comment, code in declarations(text[frame.end() :]):
        if code.startswith("/*"):
            out += [f"## {code.strip('/*- ')}", ""]
            continue
        out += [f"### {name_of(code)}", ""]
        out += ["```c", code, "```", "", said_by(comment), ""]
    return "\n".join(out)


def python_page() -> str:
    """The reference of the package, for mkdocstrings."""
    out = ["# The Python package", "", "From the docstrings of `python/mxfp4`.", ""]
    for title, modules in MODULES.items():
        out += [f"## {title}", ""]
        out += [f"::: mxfp4.{name}\n    options:\n      heading_level: 3\n" for name in modules]
    return "\n".join(out)


def main() -> int:
    """Command line."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        build(Path(sys.argv[1]))
    except OSError as e:
        sys.exit(f"site_pages.py: {e.filename or sys.argv[1]}: {e.strerror}")
    return 0


def build(folder: Path) -> None:
    """Write all pages into a folder, in place of what it has.

    Raises:
        OSError: if a page cannot be read or written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "reference").mkdir(parents=True)
    (folder / "docs/tuning").mkdir(parents=True)
    for page in PAGES:
        (folder / page.relative_to(ROOT)).write_text(linked(page.read_text(), page))
    for asset in ASSETS:
        shutil.copy(asset, folder / asset.relative_to(ROOT))
    for name, title in HEADERS.items():
        (folder / "reference" / f"{Path(name).stem}.md").write_text(header_page(name, title))
    (folder / "reference/python.md").write_text(python_page())
    (folder / "site.css").write_text(STYLE)


if __name__ == "__main__":
    raise SystemExit(main())
