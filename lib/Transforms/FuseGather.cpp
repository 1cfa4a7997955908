//===- FuseGather.cpp - Gathers and scatters into a grouped_matmul --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KeptRows.h"
#include "KernelRemarks.h"
#include "Miss.h"
#include "TensorType.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {
#define GEN_PASS_DEF_FUSEGATHER
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

constexpr StringLiteral kFuseGather = "mxfp4-fuse-gather";

/// A gather: the tensor `source`, and in `rows`, a tensor of integers of shape
/// R or R x 1, the numbers of the rows that it takes.
struct RowMap {
  Value source, rows;
  bool isUnsigned = false;
};

//===----------------------------------------------------------------------===//
// Gathers
//===----------------------------------------------------------------------===//

bool isIndexOf(Value value, uint64_t loop) {
  auto index = value.getDefiningOp<linalg::IndexOp>();
  return index && index.getDim() == loop;
}

/// Matches a gather that is a linalg operation whose body extracts an element
/// of a tensor.
class GatherMatcher {
public:
  GatherMatcher(linalg::GenericOp op, Miss *why) : op(op), why(why) {}

  FailureOr<RowMap> match();

private:
  LogicalResult matchLoops();
  Value indexTensor(Value row);

  linalg::GenericOp op;
  Miss *why;
  /// The numbers of the loops over rows and over columns.
  unsigned rowLoop = 0, columnLoop = 1;
};

tensor::ExtractOp yieldedElement(linalg::GenericOp op) {
  return op.getBody()
      ->getTerminator()
      ->getOperand(0)
      .getDefiningOp<tensor::ExtractOp>();
}

} // namespace

LogicalResult GatherMatcher::matchLoops() {
  const AffineMap outMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (op.getNumLoops() != 2 || op.getNumReductionLoops() != 0 ||
      !outMap.isPermutation())
    return miss(why, "its loops are not the rows and columns of its result");
  rowLoop = outMap.getDimPosition(0);
  columnLoop = outMap.getDimPosition(1);
  return success();
}

/// The tensor with one element for each row of which `row` is an element; or
/// null.
Value GatherMatcher::indexTensor(Value row) {
  if (auto argument = dyn_cast<BlockArgument>(row)) {
    if (argument.getOwner() != op.getBody())
      return {};
    OpOperand *operand = op.getMatchingOpOperand(argument);
    const AffineMap map = op.getMatchingIndexingMap(operand);
    const bool isOfRow =
        op.isDpsInput(operand) && map.getNumResults() == 1 &&
        map.getResult(0) == getAffineDimExpr(rowLoop, op.getContext());
    return isOfRow ? operand->get() : Value();
  }
  auto extract = row.getDefiningOp<tensor::ExtractOp>();
  if (!extract || extract.getIndices().size() != 1 ||
      !isIndexOf(extract.getIndices()[0], rowLoop) ||
      extract.getTensor().getParentBlock() == op.getBody())
    return {};
  return extract.getTensor();
}

FailureOr<RowMap> GatherMatcher::match() {
  if (failed(matchLoops()))
    return failure();
  tensor::ExtractOp element = yieldedElement(op);
  if (!element || element.getIndices().size() != 2)
    return miss(why, "its body does more than to extract an element of a "
                     "tensor of rank 2");
  if (!isIndexOf(element.getIndices()[1], columnLoop))
    return miss(why, "its body extracts from another column than its own");
  RowMap map;
  map.source = element.getTensor();
  Value row = element.getIndices()[0];
  if (auto cast = row.getDefiningOp<arith::IndexCastOp>()) {
    row = cast.getIn();
  } else if (auto cast = row.getDefiningOp<arith::IndexCastUIOp>()) {
    row = cast.getIn();
    map.isUnsigned = true;
  }
  map.rows = indexTensor(row);
  if (!map.rows)
    return miss(why, "the row that its body extracts is no element of a tensor "
                     "of rank 1 with one for each row");
  return map;
}

static FailureOr<RowMap> matchGather(tensor::GatherOp op, Miss *why) {
  if (op.getGatherDims() != ArrayRef<int64_t>{0} ||
      op.getSourceType().getRank() != 2 || op.getIndicesType().getRank() != 2)
    return miss(why, "it gathers no rows, by a number for each, of a tensor of "
                     "rank 2");
  return RowMap{op.getSource(), op.getIndices(), false};
}

/// The operation that gathers activations, or null for anything else.
static Operation *findGather(Value activations) {
  if (auto collapse = activations.getDefiningOp<tensor::CollapseShapeOp>();
      collapse && collapse.getSrc().getDefiningOp<tensor::GatherOp>())
    return collapse.getSrc().getDefiningOp();
  if (auto gather = activations.getDefiningOp<tensor::GatherOp>())
    return gather;
  auto generic = activations.getDefiningOp<linalg::GenericOp>();
  if (!generic || !generic.hasPureTensorSemantics() ||
      generic->getNumResults() != 1)
    return nullptr;
  const bool extracts = llvm::any_of(*generic.getBody(), [](Operation &op) {
    auto extract = dyn_cast<tensor::ExtractOp>(op);
    return extract && extract.getIndices().size() == 2;
  });
  return extracts ? generic.getOperation() : nullptr;
}

//===----------------------------------------------------------------------===//
// Row maps
//===----------------------------------------------------------------------===//

/// The numbers of rows in the form that grouped_matmul takes: R i32.
static Value makeRows(ImplicitLocOpBuilder &b, const RowMap &map) {
  Value rows = map.rows;
  if (tensorType(rows).getRank() == 2)
    rows = tensor::CollapseShapeOp::create(
        b, rows, ArrayRef<ReassociationIndices>{{0, 1}});
  const RankedTensorType type = tensorType(rows),
                         to = RankedTensorType::get(type.getShape(),
                                                    b.getI32Type());
  const Type element = type.getElementType();
  if (element.isIndex())
    return arith::IndexCastOp::create(b, to, rows);
  const unsigned width = element.getIntOrFloatBitWidth();
  if (width > 32)
    return arith::TruncIOp::create(b, to, rows);
  if (width < 32 && map.isUnsigned)
    return arith::ExtUIOp::create(b, to, rows);
  if (width < 32)
    return arith::ExtSIOp::create(b, to, rows);
  return rows;
}

static LogicalResult matchRowMaps(GroupedMatmulOp matmul, Miss *why) {
  if (matmul.getSchedule())
    return miss(why,
                "the matmul has a schedule, which was chosen for what it "
                "does now",
                "run this pass before mxfp4-choose-schedule");
  return success();
}

/// Whether a gather can become the operand `gather` of `matmul`.
static LogicalResult matchActivations(GroupedMatmulOp matmul, const RowMap &map,
                                      Miss *why) {
  if (matmul.getGather())
    return miss(why, "the matmul gathers rows of the gathered rows already");
  const RankedTensorType source = tensorType(map.source);
  if (ShapedType::isDynamic(matmul.getK()) ||
      source.getDimSize(1) != matmul.getK())
    return miss(why, "the rows that it gathers from are not known to have as "
                     "many columns as the matmul's activations");
  if (!source.getElementType().isBF16())
    return miss(why, "it converts the rows that it gathers, too");
  if (!ShapedType::isDynamic(source.getDimSize(0)) &&
      source.getDimSize(0) > std::numeric_limits<int32_t>::max())
    return miss(why, "the numbers of rows do not fit in i32");
  return matchRowMaps(matmul, why);
}

/// Whether only matmuls read the gathered rows, so that they need not be in
/// memory.
static LogicalResult matchUsers(Value rows, Miss *why) {
  for (OpOperand &use : rows.getUses()) {
    auto matmul = dyn_cast<GroupedMatmulOp>(use.getOwner());
    if (matmul ? &use != &matmul.getActivationsMutable()
               : !isa<tensor::DimOp>(use.getOwner()))
      return miss(why, "'" + use.getOwner()->getName().getStringRef() +
                           "' reads the gathered rows, too, which are in "
                           "memory then");
  }
  return success();
}

namespace {

struct FuseGatherPass : mxfp4::impl::FuseGatherBase<FuseGatherPass> {
  using FuseGatherBase::FuseGatherBase;

  void runOnOperation() override {
    SmallVector<GroupedMatmulOp> matmuls;
    getOperation()->walk([&](GroupedMatmulOp op) {
      if (op.hasPureTensorSemantics())
        matmuls.push_back(op);
    });
    for (GroupedMatmulOp matmul : matmuls) {
      // Asked before this pass gathers: offsets of a matmul that does not
      // gather end at its last row.
      const bool keepsRows = keepsRowsOfInit(matmul);
      fuseGather(matmul);
      fuseScatter(matmul, keepsRows);
    }
  }

private:
  void fuseGather(GroupedMatmulOp matmul);
  void fuseScatter(GroupedMatmulOp matmul, bool keepsRows);
  FailureOr<RowMap> match(GroupedMatmulOp matmul, Operation *gather, Miss *why);
  void missed(Operation *op, const Miss &why) {
    missedOn(op, kFuseGather, "rows", [&] {
      std::string text = "'" + op->getName().getStringRef().str() +
                         "' is not fused: " + why.condition;
      return why.nextStep.empty() ? text : text + "; " + why.nextStep;
    });
  }
};

} // namespace

FailureOr<RowMap> FuseGatherPass::match(GroupedMatmulOp matmul,
                                        Operation *gather, Miss *why) {
  FailureOr<RowMap> map =
      isa<tensor::GatherOp>(gather)
          ? matchGather(cast<tensor::GatherOp>(gather), why)
          : GatherMatcher(cast<linalg::GenericOp>(gather), why).match();
  if (failed(map) || failed(matchActivations(matmul, *map, why)) ||
      failed(matchUsers(matmul.getActivations(), why)))
    return failure();
  return map;
}

/// Takes sizes of the gathered rows from the tensor of row numbers, which has
/// as many elements.
static void detachSizes(Value activations, Value rows) {
  for (OpOperand &use : llvm::make_early_inc_range(activations.getUses()))
    if (auto dim = dyn_cast<tensor::DimOp>(use.getOwner());
        dim && dim.getConstantIndex() == 0)
      use.set(rows);
}

void FuseGatherPass::fuseGather(GroupedMatmulOp matmul) {
  Value activations = matmul.getActivations();
  Operation *gather = findGather(activations);
  if (!gather)
    return;
  Miss why;
  FailureOr<RowMap> map = match(matmul, gather, &why);
  if (failed(map))
    return missed(gather, why);
  ++numGathers;
  passedOn(gather, kFuseGather, "rows", [&] {
    return "'" + gather->getName().getStringRef().str() +
           "' is the matmul's operand gather";
  });
  detachSizes(activations, map->rows);
  ImplicitLocOpBuilder b(gather->getLoc(), matmul);
  matmul.getActivationsMutable().assign(map->source);
  matmul.getGatherMutable().assign(makeRows(b, *map));
  Operation *last = activations.getDefiningOp();
  if (!last->use_empty())
    return;
  last->erase();
  if (last != gather && gather->use_empty())
    gather->erase();
}

/// A scatter of whole rows of the result.
static LogicalResult matchScatter(GroupedMatmulOp matmul,
                                  tensor::ScatterOp scatter, Miss *why) {
  if (scatter.getScatterDims() != ArrayRef<int64_t>{0} ||
      scatter.getDestType().getRank() != 2 ||
      scatter.getIndicesType().getRank() != 2)
    return miss(why, "it scatters no rows, by a number for each, to a tensor "
                     "of rank 2");
  if (matmul.getScatter())
    return miss(why, "the matmul scatters its rows already");
  if (scatter->getBlock() != matmul->getBlock())
    return miss(why, "it is in another block than the matmul");
  if (scatter.getDestType().getDimSize(1) !=
      matmul.getOutputType().getDimSize(1))
    return miss(why, "its rows are not known to have as many columns as the "
                     "matmul's");
  return matchRowMaps(matmul, why);
}

void FuseGatherPass::fuseScatter(GroupedMatmulOp matmul, bool keepsRows) {
  Value result = matmul->getResult(0);
  tensor::ExpandShapeOp expand;
  if (result.hasOneUse())
    expand = dyn_cast<tensor::ExpandShapeOp>(*result.user_begin());
  Value rows = expand ? expand.getResult() : result;
  tensor::ScatterOp scatter;
  for (OpOperand &use : rows.getUses())
    if (auto op = dyn_cast<tensor::ScatterOp>(use.getOwner());
        op && op.getSource() == rows)
      scatter = op;
  if (!scatter)
    return;
  Miss why;
  if (!rows.hasOneUse())
    return missed(scatter, {"the matmul's result has other users", ""});
  if (failed(matchScatter(matmul, scatter, &why)))
    return missed(scatter, why);
  if (keepsRows)
    return missed(scatter, {"rows behind the last group keep the values of the "
                            "matmul's init, and are scattered, too",
                            "make the init by tensor.empty"});
  ++numScatters;
  passedOn(scatter, kFuseGather, "rows", [&] {
    return std::string("'tensor.scatter' is the matmul's operand scatter");
  });
  ImplicitLocOpBuilder b(scatter.getLoc(), scatter);
  Value numbers = makeRows(b, {Value(), scatter.getIndices(), false});
  // Operands of the matmul are defined before it, and the scatter's destination
  // is defined in front of the scatter.
  matmul->moveBefore(scatter);
  matmul.getInitMutable().assign(scatter.getDest());
  matmul.getScatterMutable().assign(numbers);
  result.setType(cast<RankedTensorType>(scatter.getDest().getType()));
  scatter.getResult().replaceAllUsesWith(result);
  scatter.erase();
  if (expand)
    expand.erase();
}
