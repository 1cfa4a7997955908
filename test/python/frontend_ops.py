# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sorts and scatters of IREE and torch-mlir as functions, which the CPU runs."""

from __future__ import annotations

import math
import re

# Positions by rank: how many elements come before one, equal ones by their place.
_SORT = """
func.func private @{name}({parameters}) -> ({keys}, {values}) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %rows = arith.constant {rows} : index
  %count = arith.constant {count} : index
  %most = arith.constant {most} : index
  %k0 = tensor.empty() : {keys}
  %v0 = tensor.empty() : {values}
  %all:2 = scf.for %r = %c0 to %rows step %c1 iter_args(%kr = %k0, %vr = %v0)
      -> ({keys}, {values}) {{
    %row:2 = scf.for %i = %c0 to %count step %c1 iter_args(%k = %kr, %v = %vr)
        -> ({keys}, {values}) {{
      %mine = tensor.extract %keys[{at_i}] : {given}
      %rank = scf.for %j = %c0 to %count step %c1 iter_args(%n = %c0) -> (index) {{
        %other = tensor.extract %keys[{at_j}] : {given}
        %before = arith.{compare}, %other, %mine : {key}
        %equal = arith.{equals}, %other, %mine : {key}
        %earlier = arith.cmpi ult, %j, %i : index
        %tie = arith.andi %equal, %earlier : i1
        %counts = arith.ori %before, %tie : i1
        %more = arith.addi %n, %c1 : index
        %next = arith.select %counts, %more, %n : index
        scf.yield %next : index
      }}
      %there = arith.cmpi ult, %rank, %most : index
      %put:2 = scf.if %there -> ({keys}, {values}) {{
        {value}
        %kn = tensor.insert %mine into %k[{at_rank}] : {keys}
        %vn = tensor.insert %value into %v[{at_rank}] : {values}
        scf.yield %kn, %vn : {keys}, {values}
      }} else {{
        scf.yield %k, %v : {keys}, {values}
      }}
      scf.yield %put#0, %put#1 : {keys}, {values}
    }}
    scf.yield %row#0, %row#1 : {keys}, {values}
  }}
  return %all#0, %all#1 : {keys}, {values}
}}
"""

_SCATTER = """
func.func private @{name}(%updates: {updates}, %at: {at}, %into: {into}) -> {into} {{
  {reshape_updates}
  {reshape_into}
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %count = arith.constant {count} : index
  %columns = arith.constant {columns} : index
  %all = scf.for %i = %c0 to %count step %c1 iter_args(%y = %t) -> ({table}) {{
    %number = tensor.extract %at[%i, %c0] : {at}
    %row = arith.index_cast %number : i32 to index
    %whole = scf.for %c = %c0 to %columns step %c1 iter_args(%z = %y) -> ({table}) {{
      %old = tensor.extract %z[%row, %c] : {table}
      %new = tensor.extract %u[%i, %c] : {rows}
      {result}
      %next = tensor.insert %result into %z[%row, %c] : {table}
      scf.yield %next : {table}
    }}
    scf.yield %whole : {table}
  }}
  {reshape_result}
  return %shaped : {into}
}}
"""


def _shape(type_: str) -> tuple[list[int], str]:
    *sizes, element = type_.removeprefix("tensor<").removesuffix(">").split("x")
    return [int(size) for size in sizes], element


def _sort(name: str, body: str, operands: list[str], results: list[str]) -> str:
    """A sort of pairs, or the first of them with their places; by the body's comparison."""
    (given, key), (made, _) = _shape(operands[0]), _shape(results[0])
    kind, predicate = re.findall(r"arith\.(cmp[if]) (\w+),", body)[0]
    strict = {"oge": "ogt", "sge": "sgt", "ole": "olt", "sle": "slt"}.get(predicate, predicate)
    row = "%r, " if len(given) == 2 else ""
    value = f"%value = tensor.extract %values[{row}%i] : {operands[1]}"
    if given != made:
        value = "%value = arith.index_cast %i : index to i32"
    names = ["keys", "values", "unused"][: len(operands)]
    return _SORT.format(
        name=name, keys=results[0], values=results[1], key=key, given=operands[0], value=value,
        parameters=", ".join(f"%{n}: {t}" for n, t in zip(names, operands, strict=True)),
        rows=given[0] if row else 1, count=given[-1], most=made[-1],
        at_i=f"{row}%i", at_j=f"{row}%j", at_rank=f"{row}%rank",
        compare=f"{kind} {strict}", equals="cmpi eq" if kind == "cmpi" else "cmpf oeq",
    )  # fmt: skip


def _scatter(name: str, body: str, operands: list[str]) -> str:
    """Rows that are replaced or added to, one after the other."""
    (sizes, element), (into, _) = _shape(operands[0]), _shape(operands[2])
    columns = math.prod(into[1:])
    added = re.findall(r"arith\.(add\w) ", body)
    result = f"%result = arith.{added[0]} %old, %new : {element}" if added else (
        f"%result = arith.bitcast %new : {element} to {element}")  # fmt: skip
    rows = f"tensor<{sizes[0]}x{columns}x{element}>"
    table = f"tensor<{into[0]}x{columns}x{element}>"
    return _SCATTER.format(
        name=name, updates=operands[0], at=operands[1], into=operands[2], count=sizes[0],
        columns=columns, result=result, rows=rows, table=table,
        reshape_updates=_reshape("%u", "%updates", operands[0], rows),
        reshape_into=_reshape("%t", "%into", operands[2], table),
        reshape_result=_reshape("%shaped", "%all", table, operands[2]),
    )  # fmt: skip


def _reshape(result: str, value: str, from_: str, to: str) -> str:
    """To or from a matrix."""
    sizes, ranks = _shape(to)[0], [len(_shape(type_)[0]) for type_ in (from_, to)]
    if ranks[0] == ranks[1]:
        return f"{result} = tensor.cast {value} : {from_} to {to}"
    longer = max(ranks)
    groups = [[0, 1]] if min(ranks) == 1 else [[0], [*range(1, longer)]]
    if ranks[0] > ranks[1]:
        return f"{result} = tensor.collapse_shape {value} {groups} : {from_} into {to}"
    shape = ", ".join(map(str, sizes))
    made = f"{result} = tensor.expand_shape {value} {groups} output_shape [{shape}]"
    return f"{made} : {from_} into {to}"


def with_functions(program: str) -> str:
    """The program with calls of functions in place of such operations."""
    functions: list[str] = []

    def call(found: re.Match[str]) -> str:
        operation, operands, body, types, results = found.groups()
        name = f"spelled_{len(functions)}"
        made = re.findall(r"tensor<[^>]*>", results)
        given = re.findall(r"tensor<[^>]*>", types)
        if operation == "scatter":
            functions.append(_scatter(name, body, given))
        else:
            functions.append(_sort(name, body, given, made))
        return f"func.call @{name}({operands}) : ({types}) -> {results}"

    text = re.sub(
        r'"(?:iree_linalg_ext|tm_tensor)\.(topk|sort|scatter)"\((.*?)\) <\{.*?\}> \(\{\n(.*?)\n'
        r"\s*\}\) : \((.*?)\) -> (\(.*?\)|\S+)",
        call, program, flags=re.DOTALL,
    )  # fmt: skip
    end = text.rindex("\n}\n") + 1
    return text[:end] + "".join(functions) + text[end:]
