//===- Manifest.cpp - How to launch a kernel ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Format "mxfp4-artifact", version 4. A launcher
//   - refuses a version or a target that it does not know;
//   - checks that weights are packed in `weights`' layout;
//   - passes `arguments` in order, pointers to contiguous device memory of the
//     stated `dtype` and `shape` ("rows" is the number of rows, and "x_rows",
//     for example, the first size of x, which the caller passes as the argument
//     of that name), aligned to
//     `align` bytes; "tensor_maps" are one argument by value, 128 bytes for
//     each of `boxes` one behind the other, that the driver encodes
//     (cuTensorMapEncodeTiled) for that memory, innermost size first, the box,
//     the 128-byte swizzle and zeros out of bounds;
//   - asks its caller for those whose `provider` is "caller", and knows those
//     of "launcher" by name: error (1 i32, zero at first), workspace, rows. It
//     refuses a kernel with one that it does not know, unless the argument is
//     `nullable`: then it may pass null, as for one that the caller leaves out;
//   - launches `launch.block` threads with `dynamic_shared_bytes`. The grid
//   has,
//     by its rule, "persistent": `ctas_per_sm` CTAs for each SM
//     (any grid is correct, this one is fast); "one": one CTA; "per_rows": one
//     CTA in x for each `rows` rows, the last of which may have fewer, and `y`
//     CTAs in y (1 if not stated). Without rows nothing is launched, unless the
//     rule is "one": such kernels have an outcome then, too, offsets of zeros;
//   - lets a launch begin before the one ahead of it has ended, because kernels
//     wait for it (griddepcontrol.wait) before they read anything, and let the
//     next one begin behind this wait. A kernel that names arguments in
//     `launch.ahead` reads these before it waits: it begins early only behind a
//     kernel of version 4 that writes none of them, because all kernels ahead
//     of that one have ended then. Kernels of version 3 let the next one begin
//     before their wait. Where "y" is among them, it is stored in, and the
//     kernel ahead must not read it either; "x" may be what that kernel stores
//     as y if its "stored" is "awaited" here and it has the same "offsets",
//     because rows wait for counts;
//   - passes as "workspace" memory of its shape (two i32 for a matmul) that was
//     zeros before the first launch (a kernel leaves zeros), and other memory
//     to launches that may run at one time;
//   - finds in "function" the name of the function that was compiled, as its
//     module spells it; "entry" is the name of the kernel, in PTX's characters;
//   - may read bits from the error word: 1 bad offsets (nothing was stored),
//     2 a bad expert id (its rows were not stored), 4 a row to gather or to
//     scatter to, or a position, that does not exist;
//   - may say that a kernel was chosen for another `device` than the one that
//     it launches it on: the kernel is right there, and maybe not the fastest;
//   - finds in `problem.n` the columns of the weights, of which an epilogue on
//     pairs makes half as many of y, and in `problem.epilogue` its text;
//   - finds in `weights.columns`, if it is there, what the columns of the
//   weights
//     are: "interleaved" (gate and up are neighbours) or "apart"; weights of
//     which another is known do not fit;
//   - finds `problem.batch_invariant` where all kernels of the problem that
//   were
//     compiled so, for one chip, placement and instruction, give a row the same
//     bits whatever other rows there are.
// An artifact of another operation than mxfp4.grouped_matmul says in
// "operation" which: "top_k", "sort_by_expert", both in one kernel, "route",
// "count_by_expert", "dispatch", "quantize_rows", the latter two with the sort
// in one kernel, "sort_dispatch" and "sort_quantize", or "combine". Its rows
// are tokens (of quantize_rows without slots, rows of codes), its "problem" has
// what is static of the operation, and it has no weights, schedule or budget
// (RoutingManifest.cpp). For people: `schedule` and, as `budget`, the regions
// of a CTA's shared memory and the registers of its threads.
//
//===----------------------------------------------------------------------===//

#include "Manifest.h"

#include "ScheduleJson.h"

#include "mxfp4/Core/DecodeSequence.h"
#include "mxfp4/Core/Resources.h"
#include "mxfp4/IR/Promises.h"
#include "mxfp4/Pipeline/Artifact.h"

#include "mlir/IR/AsmState.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace mxfp4;
using llvm::json::Array;
using llvm::json::Object;

/// An epilogue as one line: its arguments, its operations.
static std::string epilogueText(Region &region) {
  std::string text;
  llvm::raw_string_ostream os(text);
  AsmState state(region.getParentOp());
  llvm::interleaveComma(region.getArguments(), os, [&](BlockArgument argument) {
    argument.printAsOperand(os, state);
  });
  for (Operation &op : region.front()) {
    os << "; ";
    op.print(os, state);
  }
  return text;
}

/// The promises of an operation, or of what it is in.
static Object promisesOf(Operation *op) {
  Object promises;
  for (; op && promises.empty(); op = op->getParentOp())
    if (const DictionaryAttr found = promisesOn(op))
      for (NamedAttribute promise : found) {
        const StringRef promised = promise.getName();
        if (auto bounds = dyn_cast<DenseI64ArrayAttr>(promise.getValue()))
          promises[promised] = Array(bounds.asArrayRef());
        else
          promises[promised] = true;
      }
  return promises;
}

KernelFacts KernelFacts::read(GroupedMatmulOp op) {
  KernelFacts facts;
  if (auto function = op->getParentOfType<FunctionOpInterface>())
    facts.function = function.getName().str();
  facts.problem = schedulingProblem(op);
  facts.promises = promisesOf(op);
  if (BlockType block = op.getBlockType())
    facts.layout = block.getLayout();
  facts.output = *numberTypeOf(op.getOutputType().getElementType());
  if (op.hasEpilogue())
    facts.epilogue = epilogueText(op.getEpilogue()[0]);
  return facts;
}

/// Element types as launchers know them; blocks of weights are bytes.
static std::string dtype(Type element) {
  if (isa<BlockType>(element))
    return "u8";
  if (const std::optional<NumberType> type = numberTypeOf(element))
    return name(*type);
  std::string text;
  llvm::raw_string_ostream(text) << element;
  return text;
}

/// `first` is what a first size is called that only a launch knows.
static Array shape(MemRefType type, StringRef first) {
  Array sizes;
  for (int64_t size : type.getShape()) {
    if (ShapedType::isDynamic(size))
      sizes.push_back(first.str());
    else
      sizes.push_back(size);
  }
  if (isa<BlockType>(type.getElementType()))
    sizes.push_back(layoutOf(type).bytes());
  return sizes;
}

/// A box is as wide as a row of a stage.
static Array boxes(TensorMapType map, Type element) {
  const int64_t columns = 8 * kRowBytes / element.getIntOrFloatBitWidth();
  Array list;
  for (int64_t rows = map.getBoxStep(); rows <= map.getRows();
       rows += map.getBoxStep())
    list.push_back(Array{columns, rows});
  return list;
}

static Object argument(const KernelArgument &argument,
                       ArrayRef<KernelArgument> signature) {
  const ArgAttr attr = argument.attr;
  const bool isCallers = attr.getProvider() == Provider::Caller;
  Object object{{"name", attr.getName()},
                {"provider", isCallers ? "caller" : "launcher"}};
  if (attr.getNullable())
    object["nullable"] = true;
  auto buffer = dyn_cast<MemRefType>(attr.getMaps() ? Type(attr.getMaps())
                                                    : argument.type);
  if (!buffer) {
    object["kind"] = dtype(argument.type);
    return object;
  }
  auto map = dyn_cast<TensorMapType>(argument.type);
  object["kind"] = map ? "tensor_maps" : "pointer";
  object["dtype"] = dtype(buffer.getElementType());
  object["align"] = attr.getAlign();
  // Where it is not the number of rows, the signature has a number of its own.
  const std::string own = attr.getName().str() + "_rows";
  const bool hasOwn = llvm::any_of(signature, [&](const KernelArgument &other) {
    return other.attr.getName() == own;
  });
  object["shape"] = shape(buffer, hasOwn ? StringRef(own) : "rows");
  if (map)
    object["boxes"] = boxes(map, buffer.getElementType());
  return object;
}

static Object problem(const KernelFacts &facts) {
  Object result{{"experts", facts.problem.experts},
                {"groups", facts.problem.groups},
                {"n", facts.problem.n},
                {"k", facts.problem.k},
                {"activation", name(facts.problem.activations)},
                {"output", name(facts.output)}};
  // Which optional operands the caller provides.
  for (const MatmulOperand &operand : matmulOperands())
    if (operand.isOfProblem())
      result[operand.name] =
          llvm::any_of(facts.signature, [&](const KernelArgument &argument) {
            return argument.attr.getName() == operand.name;
          });
  if (facts.problem.activations == NumberType::E4M3)
    result["accumulation"] = accumulationName(facts.problem.promotion);
  if (!facts.epilogue.empty())
    result["epilogue"] = facts.epilogue;
  if (facts.batchInvariant)
    result["batch_invariant"] = true;
  if (facts.rowsRange)
    result["rows_hint"] =
        Array{facts.rowsRange->first, facts.rowsRange->second};
  return result;
}

static Object schedule(const KernelFacts &facts) {
  const Schedule &s = facts.schedule;
  return Object{
      {"instruction", name(s.instruction)},
      {"tile", Object{{"rows", s.tileRows},
                      {"tokens", s.tileTokens},
                      {"token_step", s.heightStep()},
                      {"k", s.tileK()}}},
      {"warps", Object{{"rows", s.warpsRows}, {"tokens", s.warpsTokens}}},
      {"k_slices", s.kSlices},
      {"stages", s.stages},
      {"placement", name(s.placement)},
      {"decode", sequenceName(facts.layout)},
      {"attribute", attributeText(s)},
      {"reason", facts.reason}};
}

/// What packing has proved of the scales.
static StringRef proofOf(ScaleEncoding scales) {
  switch (scales) {
  case ScaleEncoding::Folded:
    return "every scale byte is at most 128";
  case ScaleEncoding::Raw:
    return "none needed";
  case ScaleEncoding::Relative:
    return "the scales of a row are at most 2^26 apart";
  }
  return "";
}

static Object weights(const BlockLayout &layout) {
  Object result{{"layout", "fragment_major"},
                {"order", name(layout.order)},
                {"scales", name(layout.scales)},
                {"block_bytes", layout.bytes()},
                {"proof", proofOf(layout.scales)}};
  if (layout.columns != ColumnOrder::Plain)
    result["columns"] = name(layout.columns);
  return result;
}

/// The arguments that a kernel uses before it has waited for the kernel ahead:
/// with counts to wait for all of the caller's.
static Array readAhead(const KernelFacts &facts) {
  if (facts.schedule.copiesAhead)
    return Array{"offsets", "weights"};
  const auto isAwaited = [](const KernelArgument &argument) {
    return argument.attr.getName() == "awaited";
  };
  Array names;
  if (llvm::none_of(facts.signature, isAwaited) ||
      !awaitsGroups(facts.schedule))
    return names;
  for (const KernelArgument &argument : facts.signature)
    if (StringRef name = argument.attr.getName();
        argument.attr.getProvider() == Provider::Caller &&
        !isa<IntegerType>(argument.type))
      names.push_back(name);
  return names;
}

std::string mxfp4::writeManifest(const KernelFacts &facts, StringRef entry,
                                 const Assembly *assembly) {
  const Schedule &s = facts.schedule;
  const int64_t dynamicShared =
      SharedMemoryMap(s, facts.layout, facts.problem.groups).dynamicBytes();
  Object manifest{
      {"format", "mxfp4-artifact"},
      {"version", 4},
      {"entry", entry},
      {"target", facts.target.chip},
      {"device", deviceJson(facts.target.device)},
      {"problem", problem(facts)},
      {"weights", weights(facts.layout)},
      {"schedule", schedule(facts)},
      {"budget", Object{{"shared_memory", sharedMemory(s, facts.problem)},
                        {"registers", registers(s, facts.target)}}},
      {"launch",
       Object{{"block", Array{s.threads(), 1, 1}},
              {"cluster", Array{1, 1, 1}},
              {"dynamic_shared_bytes", dynamicShared},
              {"grid", Object{{"rule", "persistent"},
                              {"ctas_per_sm", s.ctasPerMultiprocessor}}}}}};
  if (Array ahead = readAhead(facts); !ahead.empty())
    (*manifest.getObject("launch"))["ahead"] = std::move(ahead);
  if (!facts.promises.empty())
    (*manifest.getObject("weights"))["promises"] = Object(facts.promises);
  return finishManifest(std::move(manifest), facts.signature, facts.function,
                        assembly);
}

std::string mxfp4::finishManifest(Object manifest,
                                  ArrayRef<KernelArgument> signature,
                                  const std::optional<std::string> &function,
                                  const Assembly *assembly) {
  Array arguments;
  for (const KernelArgument &each : signature)
    arguments.push_back(argument(each, signature));
  manifest["arguments"] = std::move(arguments);
  if (function)
    manifest["function"] = llvm::json::fixUTF8(*function);
  Object versions{{"mxfp4", MXFP4_VERSION}, {"llvm", LLVM_VERSION_STRING}};
  if (assembly) {
    manifest["resources"] = resources(*assembly);
    versions["ptxas"] = assembly->version;
  }
  manifest["versions"] = std::move(versions);
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::formatv("{0:2}\n", llvm::json::Value(std::move(manifest)));
  return text;
}
