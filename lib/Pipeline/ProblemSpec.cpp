//===- ProblemSpec.cpp - Problems and options in words --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Pipeline/Artifact.h"

#include "mxfp4/Core/Format.h"
#include "mxfp4/Core/Names.h"
#include "mxfp4/IR/KernelSignature.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Verifier.h"

#include "llvm/ADT/StringSet.h"

#include <functional>

using namespace mlir;
using namespace mxfp4;

namespace {

/// A key that may stand in the text, and what takes its value: it returns what
/// is wrong with that ("" if nothing).
struct Field {
  std::string key;
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
  llvm::StringSet<> given;
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
        known.push_back(other.key);
      return emitError(location) << "unknown " << what << " '" << key << "'"
                                 << alternatives(key, what, known);
    }
    if (!given.insert(key).second)
      return emitError(location) << what << " " << key << " is given twice";
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

/// The key that says whether an operand is there.
std::string wordOf(const MatmulOperand &operand) {
  std::string word = operand.name.str();
  std::replace(word.begin(), word.end(), '_', '-');
  return word;
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
      {"device", word(options.device)},
      {"ptx-version", integer(options.ptxVersion, 1000)},
      {"rows-hint", integer(options.rowsHint)},
      {"placement", word(options.placement)},
      {"instruction", word(options.instruction)},
      {"batch-invariant",
       [&](StringRef value) {
         return readBool(value, options.batchInvariant);
       }},
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

constexpr std::pair<StringLiteral, int> kAccumulations[] = {
    {"fast", 0}, {"promoted512", 512}, {"promoted128", 128}};

StringRef mxfp4::accumulationName(int64_t promotion) {
  for (auto [name, interval] : kAccumulations)
    if (promotion == interval)
      return name;
  llvm_unreachable("no such accumulation");
}

std::optional<int> mxfp4::parseAccumulation(StringRef name) {
  for (auto [each, interval] : kAccumulations)
    if (name == each)
      return interval;
  return std::nullopt;
}

/// Whether a text of pairs has this key.
static bool hasKey(StringRef text, StringRef key) {
  while (!text.empty()) {
    auto [pair, rest] = llvm::getToken(text);
    if (pair.split('=').first == key)
      return true;
    text = rest;
  }
  return false;
}

/// Activations of 8 bits have a layout of their own, which is the default with
/// them, and an accumulation is for them alone.
static LogicalResult settleActivations(ProblemSpec &spec, StringRef text,
                                       Location location) {
  if (!spec.isFP8 && spec.promotion)
    return emitError(location)
           << "problem field accumulation needs activations=fp8: sums of bf16 "
              "products are f32";
  if (spec.isFP8 && !hasKey(text, "order") && !hasKey(text, "scales")) {
    spec.layout.order = CodeOrder::Bytes;
    spec.layout.scales = ScaleEncoding::Relative;
  }
  spec.layout = BlockLayout::of(spec.layout.order, spec.layout.scales,
                                spec.layout.columns);
  if (std::string wrong = spec.layout.verify(); !wrong.empty())
    return emitError(location) << "the layout of a problem " << wrong;
  if (spec.isFP8 != (spec.layout.order == CodeOrder::Bytes))
    return emitError(location)
           << "problem fields order=bytes scales=relative and activations=fp8 "
              "need each other, got order="
           << name(spec.layout.order) << " scales=" << name(spec.layout.scales)
           << " activations=" << (spec.isFP8 ? "fp8" : "bf16");
  return success();
}

/// What may stand in a problem, and where it goes.
static std::vector<Field> fieldsOf(ProblemSpec &spec) {
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
  const auto has = [&spec](std::string operand) {
    return [&spec, operand = std::move(operand)](StringRef value) {
      bool isThere = false;
      std::string problem = readBool(value, isThere);
      if (isThere)
        spec.operands.insert(operand);
      else
        spec.operands.erase(operand);
      return problem;
    };
  };
  const auto readOutput = [&spec](StringRef value) -> std::string {
    spec.outputF32 = value == "f32";
    return value == "f32" || value == "bf16" ? "" : "expects bf16 or f32";
  };
  const auto readActivations = [&spec](StringRef value) -> std::string {
    spec.isFP8 = value == "fp8";
    return value == "fp8" || value == "bf16" ? "" : "expects bf16 or fp8";
  };
  const auto readAccumulation = [&spec](StringRef value) -> std::string {
    const std::optional<int> promotion = parseAccumulation(value);
    if (!promotion)
      return "expects fast, promoted512 or promoted128";
    spec.promotion = *promotion;
    return "";
  };
  std::vector<Field> fields = {{"experts", integer(spec.experts)},
                               {"n", integer(spec.n)},
                               {"k", integer(spec.k)},
                               {"groups", integer(spec.groups)}};
  for (const MatmulOperand &operand : matmulOperands())
    if (operand.isOfProblem())
      fields.push_back({wordOf(operand), has(operand.name.str())});
  fields.push_back(
      {"order", oneOf(spec.layout.order, "expects spread, nibble or bytes")});
  fields.push_back(
      {"scales", oneOf(spec.layout.scales, "expects folded, raw or relative")});
  fields.push_back({"columns", oneOf(spec.layout.columns,
                                     "expects plain, interleaved or apart")});
  fields.push_back({"output", readOutput});
  fields.push_back({"activations", readActivations});
  fields.push_back({"accumulation", readAccumulation});
  return fields;
}

std::vector<std::string> mxfp4::problemFields() {
  ProblemSpec spec;
  std::vector<std::string> keys;
  for (const Field &field : fieldsOf(spec))
    keys.push_back(field.key);
  return keys;
}

std::vector<std::string> mxfp4::optionalOperandFields() {
  std::vector<std::string> keys;
  for (const MatmulOperand &operand : matmulOperands())
    if (operand.isOfProblem())
      keys.push_back(wordOf(operand));
  return keys;
}

FailureOr<ProblemSpec> mxfp4::parseProblemSpec(StringRef text,
                                               Location location) {
  ProblemSpec spec;
  if (failed(readPairs(text, location, "problem field", fieldsOf(spec))))
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
  if (spec.groups != 0 && spec.groups != spec.experts &&
      !spec.operands.count("expert_ids"))
    return emitError(location)
           << "groups that differ from experts need expert-ids=1, got groups="
           << spec.groups << " experts=" << spec.experts;
  if (failed(settleActivations(spec, text, location)))
    return failure();
  return spec;
}

/// Multiplies sums by the scale of their row of activations and by the power of
/// two of their row of weights, which sums of 8-bit products are without. An
/// output of bf16 is rounded between the two: one instruction multiplies two
/// numbers of bf16, and products with powers of two are exact down to 2^-126.
static void scaleSums(ImplicitLocOpBuilder &b, Region &epilogue,
                      bool outputF32) {
  const Type f32 = b.getF32Type();
  Block &body = epilogue.emplaceBlock();
  body.addArguments({f32, f32, f32}, SmallVector<Location>(3, b.getLoc()));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&body);
  Value sum =
            arith::MulFOp::create(b, body.getArgument(0), body.getArgument(2)),
        power = body.getArgument(1);
  if (!outputF32) {
    sum = arith::TruncFOp::create(b, b.getBF16Type(), sum);
    power = arith::TruncFOp::create(b, b.getBF16Type(), power);
  }
  Value result = arith::MulFOp::create(b, sum, power);
  if (!outputF32)
    result = arith::ExtFOp::create(b, f32, result);
  YieldOp::create(b, result);
}

OwningOpRef<ModuleOp> mxfp4::buildProblem(MLIRContext *context,
                                          const ProblemSpec &spec) {
  context->loadDialect<arith::ArithDialect, func::FuncDialect, MXFP4Dialect>();
  ImplicitLocOpBuilder b(UnknownLoc::get(context), context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(b.getLoc());
  b.setInsertionPointToStart(module->getBody());
  MatmulSizes sizes;
  sizes.rows = ShapedType::kDynamic;
  sizes.experts = spec.experts;
  sizes.groups = spec.groups ? spec.groups : spec.experts;
  sizes.n = spec.n;
  sizes.k = spec.k;
  sizes.block = BlockType::get(context, spec.layout);
  sizes.words = 2;
  sizes.output = spec.outputF32 ? Type(b.getF32Type()) : Type(b.getBF16Type());
  sizes.activations =
      spec.isFP8 ? Type(b.getType<Float8E4M3FNType>()) : Type(b.getBF16Type());
  SmallVector<Type> types;
  GroupedMatmulOp::Properties properties;
  auto &segments = properties.operandSegmentSizes;
  for (auto [operand, segment] : llvm::zip_equal(matmulOperands(), segments)) {
    segment = operand.type &&
              (!operand.isOptional || operand.provider == Provider::Launcher ||
               spec.operands.count(operand.name.str()));
    if (segment)
      types.push_back(operand.type(sizes));
    // Those of the epilogue, behind which a problem has none.
    if (!operand.type && spec.isFP8)
      segment = 2;
  }
  if (spec.isFP8) {
    types.push_back(MemRefType::get({sizes.experts, sizes.n}, b.getF32Type()));
    types.push_back(MemRefType::get({sizes.rows}, b.getF32Type()));
    if (spec.promotion)
      properties.accumulation = AccumulationAttr::get(context, *spec.promotion);
  }
  auto function =
      func::FuncOp::create(b, "grouped_matmul", b.getFunctionType(types, {}));
  b.setInsertionPointToStart(function.addEntryBlock());
  OperationState op(b.getLoc(), GroupedMatmulOp::getOperationName());
  auto attributes = GroupedMatmulOp::getPropertiesAsAttr(context, properties);
  op.addAttributes(cast<DictionaryAttr>(attributes).getValue());
  op.addOperands(function.getArguments());
  if (spec.isFP8)
    scaleSums(b, *op.addRegion(), spec.outputF32);
  b.create(op);
  func::ReturnOp::create(b);
  return module;
}
