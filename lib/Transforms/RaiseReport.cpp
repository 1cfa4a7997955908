//===- RaiseReport.cpp - What mxfp4-raise left alone, and why -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What looks like ours is told generously (LooksLike.h); why it is not ours is
// told by the functions that match.
//
//===----------------------------------------------------------------------===//

#include "ComesFrom.h"
#include "ContractionForm.h"
#include "LooksLike.h"
#include "MappedLoop.h"
#include "Raise.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace mxfp4;

namespace {

constexpr StringLiteral kCategory = "mxfp4-raise";

/// Walks the module and tells.
class Reporter {
public:
  Reporter(Operation *root, const DecodeMisses &decodes, bool verbose)
      : root(root), decodes(decodes), verbose(verbose) {}

  void run();

private:
  void visit(Operation *op);
  bool visitPart(Operation *op);
  void visitLinalg(linalg::LinalgOp op);
  void visitSplit(linalg::LinalgOp op);
  void visitDequantize(DequantizeOp op);
  void visitLoop(LoopLikeOpInterface op);
  void missed(Operation *op, StringRef name, StringRef target, const Miss &why);
  void raised(GroupedMatmulOp op);

  Operation *root;
  const DecodeMisses &decodes;
  bool verbose;
  unsigned misses = 0, matmuls = 0;
  /// Decodes that the remark of a matmul speaks of.
  DenseSet<Operation *> explained;
  /// Operations whose parts were met before.
  DenseSet<Operation *> told;
  /// Bytes whose nibbles are taken out, each told once.
  DenseSet<Value> split;
};

} // namespace

static StringRef functionOf(Operation *op) {
  auto function = op->getParentOfType<FunctionOpInterface>();
  return function ? function.getName() : "";
}

/// A remark of the program's remark engine, if it takes those of this pass;
/// else a diagnostic: nothing is missed in silence.
void Reporter::missed(Operation *op, StringRef name, StringRef target,
                      const Miss &why) {
  ++misses;
  if (remark::detail::InFlightRemark remark = remark::missed(
          op->getLoc(),
          remark::RemarkOpts::name(name).category(kCategory).function(
              functionOf(op)))) {
    remark << remark::detail::Remark::Arg("Operation",
                                          op->getName().getStringRef())
           << remark::detail::Remark::Arg("Target", target)
           << remark::detail::Remark::Arg("Reason", why.condition);
    if (!why.nextStep.empty())
      remark << remark::detail::Remark::Arg("Suggestion", why.nextStep);
    return;
  }
  InFlightDiagnostic diagnostic =
      op->emitRemark() << "'" << op->getName() << "' is not raised to "
                       << target << ": " << why.condition;
  if (!why.nextStep.empty() && !verbose)
    diagnostic << "; " << why.nextStep;
  if (!verbose)
    return;
  diagnostic.attachNote() << "next step: "
                          << (why.nextStep.empty()
                                  ? "change the program so that "
                                    "the condition holds"
                                  : why.nextStep)
                          << "; without it, mxfp4-lower-to-linalg and the "
                             "pipelines for the CPU run the program as it is";
}

void Reporter::raised(GroupedMatmulOp op) {
  ++matmuls;
  if (remark::detail::InFlightRemark remark = remark::passed(
          op.getLoc(),
          remark::RemarkOpts::name("matmul").category(kCategory).function(
              functionOf(op)))) {
    remark << remark::detail::Remark::Arg("Experts", op.getNumExperts())
           << remark::detail::Remark::Arg("Groups", op.getNumGroups())
           << remark::detail::Remark::Arg("N", op.getN())
           << remark::detail::Remark::Arg("K", op.getK());
    return;
  }
  if (verbose)
    op.emitRemark() << "is a grouped matmul of " << op.getNumGroups()
                    << " groups with " << op.getNumExperts()
                    << " experts, N = " << op.getN() << ", K = " << op.getK()
                    << "; next step: mxfp4-pack-weights";
}

/// The decode, or what looks like one, that a value is computed from, or null.
static Operation *decodeBehind(Value value) {
  return comesFrom(value, [](Operation *op) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    return isa<DequantizeOp>(op) || looksLikeDecode(op) ||
           (linalgOp && looksLikeSplit(linalgOp));
  });
}

void Reporter::visitLinalg(linalg::LinalgOp op) {
  Miss why;
  if (!isReduction(op)) {
    if (looksLikeSplit(op))
      visitSplit(op);
    else if (looksLikeDecode(op) && failed(matchDecode(op, &why)))
      missed(op, "decode", "mxfp4.dequantize", why);
    return;
  }
  Operation *decode = nullptr;
  for (Value input : op.getDpsInputs())
    if (!decode)
      decode = decodeBehind(input);
  if (!decode && !readsCodes(op))
    return;
  if (succeeded(matchMatmul(op, &why)))
    return;
  // What is wrong with the decode is said at the decode.
  if (decode && !isa<DequantizeOp>(decode) && why.nextStep.empty())
    why.nextStep = "see the remark on the decode";
  if (decode)
    explained.insert(decode);
  missed(op, "matmul", "mxfp4.grouped_matmul", why);
}

void Reporter::visitSplit(linalg::LinalgOp op) {
  if (split.insert(op.getDpsInputs()[0]).second)
    missed(
        op, "decode", "mxfp4.dequantize",
        {"nibbles are taken out of bytes in an operation apart from the "
         "decode, which is proved where one operation reads bytes and scales",
         "decode in the body of one linalg.generic, which reads byte k / 2 "
         "and scale k / 32 for position k"});
}

/// The first operation that takes decoded weights for something else than to
/// move them or compute with each, or null.
static Operation *takerOf(DequantizeOp op) {
  SmallVector<Operation *> queue(op->user_begin(), op->user_end());
  DenseSet<Operation *> seen;
  while (!queue.empty() && seen.size() < 1024) {
    Operation *user = queue.pop_back_val();
    if (!seen.insert(user).second || isa<tensor::DimOp, GroupedMatmulOp>(user))
      continue;
    auto linalgOp = dyn_cast<linalg::LinalgOp>(user);
    const bool moves =
        linalgOp ? !isReduction(linalgOp)
                 : isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp,
                       tensor::CastOp, tensor::ExtractSliceOp>(user) ||
                       OpTrait::hasElementwiseMappableTraits(user);
    if (isa<scf::YieldOp>(user) && isa<scf::IfOp>(user->getParentOp()))
      return user->getParentOp();
    if (!moves && !user->hasTrait<OpTrait::IsTerminator>())
      return user;
    queue.append(user->user_begin(), user->user_end());
  }
  return nullptr;
}

void Reporter::visitDequantize(DequantizeOp op) {
  if (explained.contains(op))
    return;
  std::string takes =
      "no matmul takes the decoded weights, which are decoded in memory";
  if (Operation *taker = takerOf(op))
    takes = ("the decoded weights, which are decoded in memory, go into '" +
             taker->getName().getStringRef() +
             "', in which no matmul is known to take them")
                .str();
  missed(op, "dequantize", "mxfp4.grouped_matmul",
         {takes, "mxfp4-to-ptx makes a kernel of the decode alone, and "
                 "mxfp4-lower-to-linalg lowers it"});
}

void Reporter::visitLoop(LoopLikeOpInterface op) {
  const bool holdsOneGroup =
      llvm::any_of(op.getLoopRegions()[0]->getOps<GroupedMatmulOp>(),
                   [&](GroupedMatmulOp m) { return looksLikeExpert(m, op); });
  auto loop = dyn_cast<scf::ForOp>(op.getOperation());
  Miss why;
  if (!holdsOneGroup || (loop && succeeded(matchRaggedLoop(loop, &why))))
    return;
  if (!loop)
    why = {"an iteration must multiply rows of the activations by one slice of "
           "the weights, and store the result as the rows of an expert or as a "
           "slice of its own",
           "write the loop as an scf.for, of which the remark says more"};
  else if (storesSlices(loop))
    why = {"an iteration must multiply slice i of the activations, or all of "
           "them, by one slice of the weights, and store the result itself",
           "run linalg-fuse-elementwise-ops and mxfp4-fuse-epilogue, and then "
           "mxfp4-raise again, or move what else is done behind the loop"};
  missed(op, "loop", "one mxfp4.grouped_matmul of all its iterations", why);
}

/// Whether `op` is part of what is no decode as far as the trace goes; tells of
/// the whole.
bool Reporter::visitPart(Operation *op) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!looksLikeDecode(op) && !(linalgOp && looksLikeSplit(linalgOp)))
    return false;
  for (const DecodeMisses::Entry &entry : decodes.untraced) {
    if (!entry.parts.contains(op))
      continue;
    if (told.insert(entry.op).second)
      missed(entry.op, "decode", "mxfp4.dequantize", entry.why);
    return true;
  }
  return false;
}

/// Whether nothing that the program gives is computed from the results of `op`.
/// Front ends check numbers in bodies, which stay for their checks where a
/// decode has taken their place.
static bool isUnused(Operation *op) {
  if (op->getNumResults() == 0 || op->hasTrait<OpTrait::IsTerminator>())
    return false;
  SmallVector<Operation *> queue = {op};
  DenseSet<Operation *> seen;
  while (!queue.empty()) {
    Operation *next = queue.pop_back_val();
    if (!seen.insert(next).second)
      continue;
    if (next->getNumResults() == 0 || seen.size() > 1024 ||
        next->getParentOp() != op->getParentOp())
      return false;
    queue.append(next->user_begin(), next->user_end());
  }
  return true;
}

void Reporter::visit(Operation *op) {
  if (isUnused(op))
    return;
  Miss why;
  const auto *known =
      llvm::find_if(decodes.decodes, [&](const DecodeMisses::Entry &entry) {
        return entry.op == op;
      });
  if (known != decodes.decodes.end())
    return missed(op, "decode", "mxfp4.dequantize", known->why);
  // Parts of a decode are told with it.
  if (decodes.explained.contains(op) || visitPart(op))
    return;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    visitLinalg(linalgOp);
  else if (auto scaling = dyn_cast<arith::ScalingExtFOp>(op)) {
    if (looksLikeDecode(op) && failed(matchDecode(scaling, &why)))
      missed(op, "decode", "mxfp4.dequantize", why);
  } else if (isa<arith::ExtFOp>(op) && looksLikeDecode(op)) {
    missed(
        op, "decode", "mxfp4.dequantize",
        {"codes are widened apart from their scales",
         "write arith.scaling_extf, or run convert-elementwise-to-linalg and "
         "linalg-fuse-elementwise-ops first"});
  } else if (isa<scf::ForOp, scf::ForallOp>(op)) {
    visitLoop(cast<LoopLikeOpInterface>(op));
  } else if (auto matmul = dyn_cast<GroupedMatmulOp>(op)) {
    raised(matmul);
  }
}

void Reporter::run() {
  // Without our operations and without linalg there is nothing to say; with
  // them, decodes come after the matmuls that explain them.
  SmallVector<DequantizeOp> dequantizes;
  root->walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (auto dequantize = dyn_cast<DequantizeOp>(op))
      dequantizes.push_back(dequantize);
    else
      visit(op);
  });
  for (DequantizeOp op : dequantizes)
    visitDequantize(op);
  if (verbose)
    root->emitRemark() << "mxfp4-raise: " << matmuls << " grouped matmuls, and "
                       << misses
                       << " operations that look like MXFP4 and are not raised";
}

void mxfp4::reportMisses(Operation *root, const DecodeMisses &decodes,
                         bool verbose) {
  Reporter(root, decodes, verbose).run();
}
