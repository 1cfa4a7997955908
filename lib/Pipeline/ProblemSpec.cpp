//===- ProblemSpec.cpp - Problems and options in words --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Pipeline/Artifact.h"

#include "mxfp4/Core/Format.h"
#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// Reads "key=value" words. `set` returns what is wrong with a value ("" if
/// nothing), or nullopt for an unknown key.
LogicalResult
readPairs(StringRef text, Location location, StringRef what,
          function_ref<std::optional<std::string>(StringRef, StringRef)> set) {
  SmallVector<StringRef> words;
  // A schedule attribute has blanks of its own, inside its brackets.
  int depth = 0;
  size_t start = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ' ';
    depth += c == '<' ? 1 : c == '>' ? -1 : 0;
    if (depth > 0 || !isspace(static_cast<unsigned char>(c)))
      continue;
    if (i > start)
      words.push_back(text.slice(start, i));
    start = i + 1;
  }
  if (depth > 0)
    words.push_back(text.substr(start));
  for (StringRef word : words) {
    auto [key, value] = word.split('=');
    if (!word.contains('='))
      return emitError(location)
             << "expected " << what << " as key=value, got '" << word << "'";
    const std::optional<std::string> problem = set(key, value);
    if (!problem)
      return emitError(location) << "unknown " << what << " '" << key << "'";
    if (!problem->empty())
      return emitError(location) << what << " " << key << " " << *problem
                                 << ", got '" << value << "'";
  }
  return success();
}

template <typename Int>
std::string readInteger(StringRef value, Int &into, int64_t low,
                        int64_t high = INT64_MAX) {
  int64_t wide;
  if (value.getAsInteger(10, wide) || wide < low || wide > high)
    return "expects a whole number of at least " + std::to_string(low) +
           (high == INT64_MAX ? "" : " and at most " + std::to_string(high));
  into = wide;
  return "";
}

std::string readBool(StringRef value, bool &into) {
  if (value != "0" && value != "1" && value != "true" && value != "false")
    return "expects true or false";
  into = value == "1" || value == "true";
  return "";
}

} // namespace

FailureOr<CompileOptions> mxfp4::parseCompileOptions(StringRef text,
                                                     Location location) {
  CompileOptions options;
  auto set = [&](StringRef key, StringRef value) -> std::optional<std::string> {
    if (key == "ptx-version")
      return readInteger(value, options.ptxVersion, 0, 1000);
    if (key == "rows-hint")
      return readInteger(value, options.rowsHint, 0);
    if (key == "opt-level")
      return readInteger(value, options.optLevel, 0, 3);
    if (key == "assemble")
      return readBool(value, options.assemble);
    std::string *field = key == "chip"          ? &options.chip
                         : key == "placement"   ? &options.placement
                         : key == "instruction" ? &options.instruction
                         : key == "schedule"    ? &options.schedule
                         : key == "decode"      ? &options.decode
                         : key == "ptxas"       ? &options.ptxas
                                                : nullptr;
    if (!field)
      return std::nullopt;
    *field = value.str();
    return "";
  };
  if (failed(readPairs(text, location, "option", set)))
    return failure();
  return options;
}

FailureOr<ProblemSpec> mxfp4::parseProblemSpec(StringRef text,
                                               Location location) {
  ProblemSpec spec;
  auto set = [&](StringRef key, StringRef value) -> std::optional<std::string> {
    if (key == "experts")
      return readInteger(value, spec.experts, 1, INT32_MAX);
    if (key == "groups")
      return readInteger(value, spec.groups, 0, INT32_MAX);
    if (key == "n")
      return readInteger(value, spec.n, 1, INT32_MAX);
    if (key == "k")
      return readInteger(value, spec.k, 1, INT32_MAX);
    if (key == "expert-ids")
      return readBool(value, spec.expertIds);
    if (key == "order")
      return parse(value.str(), spec.layout.order) ? ""
                                                   : "expects spread or nibble";
    if (key == "scales")
      return parse(value.str(), spec.layout.scales) ? ""
                                                    : "expects folded or raw";
    if (key == "output") {
      spec.outputF32 = value == "f32";
      return value == "f32" || value == "bf16" ? "" : "expects bf16 or f32";
    }
    return std::nullopt;
  };
  if (failed(readPairs(text, location, "problem field", set)))
    return failure();
  for (auto [name, value] :
       {std::pair("experts", spec.experts), {"n", spec.n}, {"k", spec.k}})
    if (value == 0)
      return emitError(location)
             << "a problem needs " << name << "=, a positive whole number";
  if (spec.k % kScaleBlock != 0)
    return emitError(location)
           << "problem field k expects a multiple of 32 (one scale for each "
              "32 values), got '"
           << spec.k << "'";
  if (spec.groups != 0 && spec.groups != spec.experts && !spec.expertIds)
    return emitError(location)
           << "groups that differ from experts need expert-ids=1, got groups="
           << spec.groups << " experts=" << spec.experts;
  return spec;
}

OwningOpRef<ModuleOp> mxfp4::buildProblem(MLIRContext *context,
                                          const ProblemSpec &spec) {
  context->loadDialect<func::FuncDialect, MXFP4Dialect>();
  ImplicitLocOpBuilder b(UnknownLoc::get(context), context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(b.getLoc());
  b.setInsertionPointToStart(module->getBody());
  const int64_t dynamic = ShapedType::kDynamic;
  const int64_t groups = spec.groups ? spec.groups : spec.experts;
  auto block = BlockType::get(context, spec.layout.order, spec.layout.scales);
  SmallVector<Type> arguments = {
      MemRefType::get({dynamic, spec.k}, b.getBF16Type()),
      MemRefType::get({spec.experts, blocksFor(spec.n), blocksFor(spec.k)},
                      block),
      MemRefType::get({groups + 1}, b.getI32Type())};
  if (spec.expertIds)
    arguments.push_back(MemRefType::get({groups}, b.getI32Type()));
  arguments.push_back(MemRefType::get({dynamic, spec.n},
                                      spec.outputF32 ? Type(b.getF32Type())
                                                     : Type(b.getBF16Type())));
  arguments.push_back(MemRefType::get({1}, b.getI32Type()));
  arguments.push_back(MemRefType::get({2}, b.getI32Type()));

  auto function = func::FuncOp::create(b, "grouped_matmul",
                                       b.getFunctionType(arguments, {}));
  b.setInsertionPointToStart(function.addEntryBlock());
  auto next = function.getArguments().begin();
  Value activations = *next++, weights = *next++, offsets = *next++;
  Value ids = spec.expertIds ? Value(*next++) : Value();
  Value output = *next++, error = *next++, workspace = *next++;
  GroupedMatmulOp::create(b, TypeRange{}, activations, ValueRange{weights},
                          offsets, ids, output, error, workspace,
                          ScheduleAttr());
  func::ReturnOp::create(b);
  return module;
}
