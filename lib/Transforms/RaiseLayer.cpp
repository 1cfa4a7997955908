//===- RaiseLayer.cpp - A named mixture-of-experts layer ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `mxfp4.moe` takes hidden states `[T, H]`, the router's logits `[T, E]`, the
// codes and scales of gate and up `[E, 2 I, H]` with columns in turn, those of
// down `[E, H, I]`, and perhaps a bias of each. An attribute says the rest. It
// becomes the fused form: routing, two grouped matmuls of which the first
// gathers its rows and has the activation as its epilogue, and the weighted
// sum.
//
//===----------------------------------------------------------------------===//

#include "Entries.h"

#include "mxfp4/Core/Format.h"
#include "mxfp4/Core/Routing.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// What the attribute says. The activation is
/// `gate * sigmoid(alpha * gate) * (up + shift)` of clamped gate and up; the
/// defaults are those of gpt-oss.
struct LayerFacts {
  int64_t slots = 0;
  Scoring scoring = Scoring::SoftmaxSelected;
  bool renormalize = false;
  double scale = 1, alpha = 1.702, shift = 1;
  std::optional<double> limit = 7.0;
};

} // namespace

/// The dictionary of a call: our own attribute, or where StableHLO keeps what
/// belongs to a name.
static DictionaryAttr factsOf(Operation *op) {
  for (StringRef name :
       {"mxfp4.layer", "composite_attributes", "mhlo.backend_config"})
    if (auto facts = dyn_cast_or_null<DictionaryAttr>(attributeOf(op, name)))
      return facts;
  return {};
}

static LogicalResult readFact(NamedAttribute fact, LayerFacts &facts,
                              Miss *why) {
  const StringRef name = fact.getName();
  const Attribute value = fact.getValue();
  if (auto flag = dyn_cast<BoolAttr>(value); flag && name == "renormalize") {
    facts.renormalize = flag.getValue();
    return success();
  }
  if (auto number = dyn_cast<IntegerAttr>(value);
      number && name == "slots" && number.getValue().isSignedIntN(64)) {
    facts.slots = number.getValue().getSExtValue();
    return success();
  }
  if (auto word = dyn_cast<StringAttr>(value); word && name == "scoring") {
    if (std::optional<Scoring> scoring = symbolizeScoring(word.getValue())) {
      facts.scoring = *scoring;
      return success();
    }
    return miss(why, "the scoring must be softmax, softmax_selected, sigmoid "
                     "or sqrt_softplus, got '" +
                         word.getValue() + "'");
  }
  if (auto number = dyn_cast<FloatAttr>(value)) {
    const double given = number.getValueAsDouble();
    double *into = name == "scale"   ? &facts.scale
                   : name == "alpha" ? &facts.alpha
                   : name == "shift" ? &facts.shift
                   : name == "limit" ? &facts.limit.emplace()
                                     : nullptr;
    if (name == "limit" && given <= 0)
      return miss(why, "the limit of the activation must be positive, got " +
                           std::to_string(given));
    if (into && std::isfinite(static_cast<float>(given))) {
      *into = given;
      return success();
    }
  }
  if (isa<UnitAttr>(value) && name == "unlimited") {
    facts.limit.reset();
    return success();
  }
  return miss(why, "the layer has slots (an integer), scoring (a word), "
                   "renormalize (a truth value), and scale, alpha, shift and "
                   "limit (numbers) or unlimited, got '" +
                       name + "'");
}

static FailureOr<LayerFacts> readFacts(Operation *op, Miss *why) {
  DictionaryAttr given = factsOf(op);
  if (!given)
    return miss(why, "it must say how many experts a token has, for example "
                     "by the attribute mxfp4.layer = {slots = 4 : i64}");
  LayerFacts facts;
  for (NamedAttribute fact : given)
    if (failed(readFact(fact, facts, why)))
      return failure();
  return facts;
}

static LogicalResult checkLayer(const EntryCall &call, const LayerFacts &facts,
                                Miss *why) {
  const size_t count = call.operands.size();
  if ((count != 6 && count != 8) || call.op->getNumResults() != 1)
    return miss(why, "it must take hidden states, logits, codes and scales of "
                     "gate and up, and of down, perhaps the bias of each as "
                     "well, and have one result, got " +
                         Twine(count) + " operands and " +
                         Twine(call.op->getNumResults()) + " results");
  ArrayRef<Value> given = call.operands;
  if (failed(checkWeights(given[2], given[3], "gate_up", why)) ||
      failed(checkWeights(given[4], given[5], "down", why)))
    return failure();
  auto gateUp = cast<RankedTensorType>(given[2].getType()),
       down = cast<RankedTensorType>(given[4].getType());
  const int64_t experts = gateUp.getDimSize(0),
                hidden = gateUp.getDimSize(2) * kScaleBlock,
                inner = down.getDimSize(2) * kScaleBlock;
  if (gateUp.getDimSize(1) != 2 * inner || down.getDimSize(1) != hidden ||
      down.getDimSize(0) != experts)
    return miss(why, "gate_up must be of E experts with 2 I rows and K = H, "
                     "and down of as many with H rows and K = I, got E = " +
                         Twine(experts) + " and " + Twine(down.getDimSize(0)) +
                         ", H = " + Twine(hidden) + ", I = " + Twine(inner));
  if (facts.slots < 1 || facts.slots > std::min(experts, kMostSlots))
    return miss(why, "a token must have 1 to " +
                         Twine(std::min(experts, kMostSlots)) +
                         " experts (slots), got " + Twine(facts.slots));
  if (failed(checkOperand(given[0], "hidden states",
                          "[T, H] bf16, with H of gate_up", {-1, hidden},
                          isBF16, why)) ||
      failed(checkOperand(given[1], "logits", "[T, E] bf16 or f32",
                          {-1, experts}, isOutput, why)))
    return failure();
  if (count == 8 &&
      (failed(checkOperand(given[6], "the bias of gate_up", "[E, 2 I] bf16",
                           {experts, 2 * inner}, isBF16, why)) ||
       failed(checkOperand(given[7], "the bias of down", "[E, H] bf16",
                           {experts, hidden}, isBF16, why))))
    return failure();
  return checkType(call.type(), "the result", "[T, H] bf16 or f32",
                   {-1, hidden}, isOutput, why);
}

namespace {

/// Makes the operations of a layer.
class LayerBuilder {
public:
  LayerBuilder(EntryCall &call, const LayerFacts &facts)
      : b(call.op->getLoc(), call.op), given(call.operands), call(call),
        facts(facts), tokens(tensor::getMixedSize(b, b.getLoc(), given[0], 0)),
        rows(timesSlots(tokens)) {}

  Value build();

private:
  OpFoldResult timesSlots(OpFoldResult count);
  Value empty(ArrayRef<OpFoldResult> sizes, Type element) {
    return tensor::EmptyOp::create(b, sizes, element);
  }
  OpFoldResult size(int64_t value) { return b.getIndexAttr(value); }
  GroupedMatmulOp matmul(Value x, Value gather, unsigned weights, Value bias,
                         Value offsets, int64_t columns);
  void addBias(GroupedMatmulOp op);
  void addActivation(GroupedMatmulOp op, bool hasBias);

  ImplicitLocOpBuilder b;
  ArrayRef<Value> given;
  EntryCall &call;
  const LayerFacts &facts;
  OpFoldResult tokens, rows;
};

} // namespace

OpFoldResult LayerBuilder::timesSlots(OpFoldResult count) {
  if (std::optional<int64_t> constant = getConstantIntValue(count))
    return size(*constant * facts.slots);
  Value slots = arith::ConstantIndexOp::create(b, facts.slots);
  return arith::MulIOp::create(b, cast<Value>(count), slots).getResult();
}

GroupedMatmulOp LayerBuilder::matmul(Value x, Value gather, unsigned weights,
                                     Value bias, Value offsets,
                                     int64_t columns) {
  const Location loc = b.getLoc();
  const Value both[] = {signless(b, loc, given[weights]),
                        signless(b, loc, given[weights + 1])};
  SmallVector<Value> operands;
  if (bias)
    operands.push_back(bias);
  const bool isFirst = gather != nullptr;
  Value into = empty({rows, size(columns)}, b.getBF16Type());
  return GroupedMatmulOp::create(
      b, into.getType(), x, both, offsets, /*expert_ids=*/Value(), into,
      /*error=*/Value(), /*workspace=*/Value(), gather, /*scatter=*/Value(),
      operands, /*through=*/Value(), /*stored=*/Value(), /*awaited=*/Value(),
      /*schedule=*/ScheduleAttr(),
      /*accumulation=*/AccumulationAttr(), /*target=*/TargetAttr(),
      /*promises=*/DictionaryAttr(), /*older_inputs=*/UnitAttr(),
      /*epilogueCount=*/isFirst || bias ? 1 : 0);
}

void LayerBuilder::addBias(GroupedMatmulOp op) {
  OpBuilder::InsertionGuard guard(b);
  Block &block = op.getEpilogue()[0].emplaceBlock();
  Value sum = block.addArgument(b.getF32Type(), b.getLoc()),
        bias = block.addArgument(b.getF32Type(), b.getLoc());
  b.setInsertionPointToStart(&block);
  Value result = arith::AddFOp::create(b, sum, bias);
  YieldOp::create(b, result);
}

void LayerBuilder::addActivation(GroupedMatmulOp op, bool hasBias) {
  OpBuilder::InsertionGuard guard(b);
  Block &block = op.getEpilogue()[0].emplaceBlock();
  SmallVector<Value> arguments;
  for (int i = 0; i < (hasBias ? 4 : 2); ++i)
    arguments.push_back(block.addArgument(b.getF32Type(), b.getLoc()));
  b.setInsertionPointToStart(&block);
  const auto number = [&](double value) -> Value {
    return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
  };
  Value gate = arguments[0], up = arguments[1];
  if (hasBias) {
    gate = arith::AddFOp::create(b, gate, arguments[2]);
    up = arith::AddFOp::create(b, up, arguments[3]);
  }
  if (facts.limit) {
    Value upper = number(*facts.limit), lower = number(-*facts.limit);
    gate = arith::MinimumFOp::create(b, gate, upper);
    up = arith::MinimumFOp::create(b, up, upper);
    up = arith::MaximumFOp::create(b, up, lower);
  }
  // gate / (1 + exp(-gate * alpha)) * (up + shift).
  Value power = arith::MulFOp::create(b, arith::NegFOp::create(b, gate),
                                      number(facts.alpha));
  Value below =
      arith::AddFOp::create(b, math::ExpOp::create(b, power), number(1));
  Value open = arith::DivFOp::create(b, gate, below);
  Value shifted = arith::AddFOp::create(b, up, number(facts.shift));
  Value result = arith::MulFOp::create(b, shifted, open);
  YieldOp::create(b, result);
}

Value LayerBuilder::build() {
  auto gateUp = cast<RankedTensorType>(given[2].getType());
  const int64_t experts = gateUp.getDimSize(0),
                inner = gateUp.getDimSize(1) / 2,
                hidden = gateUp.getDimSize(2) * kScaleBlock;
  const bool hasBias = given.size() == 8;
  Type i32 = b.getI32Type();
  const OpFoldResult perSlot[] = {tokens, size(facts.slots)};
  Value ids = empty(perSlot, i32), weights = empty(perSlot, b.getF32Type());
  auto topK = TopKOp::create(
      b, TypeRange{ids.getType(), weights.getType()}, given[1],
      /*bias=*/Value(), ids, weights, /*counts=*/Value(), facts.scoring,
      facts.renormalize, APFloat(static_cast<float>(facts.scale)));
  Value offsets = empty(size(experts + 1), i32), order = empty(rows, i32),
        positions = empty(perSlot, i32);
  auto sort = SortByExpertOp::create(
      b, TypeRange{offsets.getType(), order.getType(), positions.getType()},
      topK.getResult(0), /*counts=*/Value(), offsets, order, positions,
      /*error=*/Value(), /*zeros=*/Value());
  GroupedMatmulOp first =
      matmul(given[0], sort.getResult(1), 2, hasBias ? given[6] : Value(),
             sort.getResult(0), inner);
  addActivation(first, hasBias);
  GroupedMatmulOp second =
      matmul(first.getResult(0), /*gather=*/Value(), 4,
             hasBias ? given[7] : Value(), sort.getResult(0), hidden);
  if (hasBias)
    addBias(second);
  Value out = empty({tokens, size(hidden)}, call.result.getElementType());
  return CombineOp::create(b, TypeRange(out.getType()), second.getResult(0),
                           sort.getResult(2), topK.getResult(1), out,
                           /*error=*/Value())
      .getResult(0);
}

LogicalResult mxfp4::raiseLayer(EntryCall &call, Miss *why) {
  FailureOr<LayerFacts> facts = readFacts(call.op, why);
  if (failed(facts) || failed(checkLayer(call, *facts, why)))
    return failure();
  OpBuilder b(call.op);
  call.replace(b, LayerBuilder(call, *facts).build());
  return success();
}
