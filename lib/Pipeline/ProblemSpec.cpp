//===- ProblemSpec.cpp - Problems and options in words --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Pipeline/Artifact.h"

#include "mxfp4/Core/Format.h"
#include "mxfp4/Core/Names.h"
#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Verifier.h"

#include <functional>

using namespace mlir;
using namespace mxfp4;

namespace {

/// A key that may stand in the text, and what takes its value: it returns what
/// is wrong with that ("" if nothing).
struct Field {
  StringRef key;
  std::function<std::string(StringRef)> set;
};

/// The words of a text. A schedule attribute has blanks of its own, inside its
/// brackets.
SmallVector<StringRef> wordsOf(StringRef text) {
  SmallVector<StringRef> words;
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
  return words;
}

/// Reads "key=value" words.
LogicalResult readPairs(StringRef text, Location location, StringRef what,
                        ArrayRef<Field> fields) {
  for (StringRef word : wordsOf(text)) {
    auto [key, value] = word.split('=');
    if (!word.contains('='))
      return emitError(location)
             << "expected " << what << " as key=value, got '" << word << "'";
    const auto *field = llvm::find_if(
        fields, [name = key](const Field &f) { return f.key == name; });
    if (field == fields.end()) {
      std::vector<std::string> known;
      for (const Field &other : fields)
        known.push_back(other.key.str());
      return emitError(location) << "unknown " << what << " '" << key << "'"
                                 << alternatives(key, what, known);
    }
    if (const std::string problem = field->set(value); !problem.empty())
      return emitError(location) << what << " " << key << " " << problem
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
  const auto word = [](std::string &into) {
    return [&into](StringRef value) {
      into = value.str();
      return std::string();
    };
  };
  const auto integer = [](auto &into, int64_t high = INT64_MAX) {
    return [&into, high](StringRef value) {
      return readInteger(value, into, 0, high);
    };
  };
  const Field fields[] = {
      {"chip", word(options.chip)},
      {"ptx-version", integer(options.ptxVersion, 1000)},
      {"rows-hint", integer(options.rowsHint)},
      {"placement", word(options.placement)},
      {"instruction", word(options.instruction)},
      {"schedule", word(options.schedule)},
      {"decode", word(options.decode)},
      {"opt-level", integer(options.optLevel, 3)},
      {"assemble",
       [&](StringRef value) { return readBool(value, options.assemble); }},
      {"ptxas", word(options.ptxas)},
  };
  if (failed(readPairs(text, location, "option", fields)))
    return failure();
  return options;
}

FailureOr<ProblemSpec> mxfp4::parseProblemSpec(StringRef text,
                                               Location location) {
  ProblemSpec spec;
  const auto integer = [](int64_t &into) {
    return [&into](StringRef value) {
      return readInteger(value, into, 1, INT32_MAX);
    };
  };
  const auto oneOf = [](auto &into, std::string expects) {
    return [&into, expects = std::move(expects)](StringRef value) {
      return parse(value.str(), into) ? "" : expects;
    };
  };
  const auto readOutput = [&](StringRef value) -> std::string {
    spec.outputF32 = value == "f32";
    return value == "f32" || value == "bf16" ? "" : "expects bf16 or f32";
  };
  const Field fields[] = {
      {"experts", integer(spec.experts)},
      {"n", integer(spec.n)},
      {"k", integer(spec.k)},
      {"groups", integer(spec.groups)},
      {"expert-ids",
       [&](StringRef value) { return readBool(value, spec.expertIds); }},
      {"order", oneOf(spec.layout.order, "expects spread or nibble")},
      {"scales", oneOf(spec.layout.scales, "expects folded or raw")},
      {"output", readOutput},
  };
  if (failed(readPairs(text, location, "problem field", fields)))
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
