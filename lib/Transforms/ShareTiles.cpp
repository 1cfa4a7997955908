//===- ShareTiles.cpp - One thread hands out tiles ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/KernelSignature.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <map>

namespace mxfp4 {
#define GEN_PASS_DEF_SHARETILES
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

/// Tiles that are handed out and not yet begun by all.
constexpr int64_t kAhead = 2;
/// Expert, row, rows and column of a tile; column -1 ends.
constexpr int64_t kFields = 4, kColumn = 3;

/// Rewrites one kernel.
class Sharer {
public:
  /// `loops`: of one program of the kernel.
  Sharer(gpu::GPUFuncOp kernel, const Schedule &schedule,
         ArrayRef<scf::ForOp> loops)
      : kernel(kernel), schedule(schedule), loops(loops),
        b(kernel.getLoc(), kernel.getContext()) {}

  LogicalResult run();

private:
  LogicalResult findLoops();
  LogicalResult findWorkspace();
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value i32(int64_t value) {
    return arith::ConstantIntOp::create(b, b.getI32Type(), value);
  }
  LogicalResult createRing();
  void store(Value value, Value slot, int64_t field);
  SmallVector<Value> read(Value slot);
  SmallVector<Value> next(Value slot, Value parity);
  Value takeNumber(Value number, Value stride);
  void putBack();
  void publish(LocateTileOp locate, Value number, Value isTile, Value slot,
               Value parity);
  void rewriteScheduler(scf::ForOp loop);
  void rewriteReader(scf::ForOp loop, bool isWarp);

  gpu::GPUFuncOp kernel;
  const Schedule schedule;
  const SmallVector<scf::ForOp> loops;
  ImplicitLocOpBuilder b;
  /// By `mxfp4.role`: one that walks the tiles, and those that work on them.
  scf::ForOp scheduler;
  SmallVector<std::pair<scf::ForOp, StringRef>> readers;
  /// kAhead x kFields i32, and barriers: a tile is there, a tile was read.
  Value ring, ready, free;
  Value workspace;
};

LocateTileOp findLocate(scf::ForOp loop) {
  return dyn_cast<LocateTileOp>(loop.getBody()->front());
}

} // namespace

LogicalResult Sharer::createRing() {
  // With the others.
  InitBarriersOp other;
  kernel.walk([&](InitBarriersOp op) { other = op; });
  if (!other)
    return failure();
  auto space =
      gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
  auto add = [&](ArrayRef<int64_t> shape, Type element) {
    return kernel.addWorkgroupAttribution(
        MemRefType::get(shape, element, AffineMap(), space), b.getLoc());
  };
  ready = add({kAhead}, b.getI64Type());
  free = add({kAhead}, b.getI64Type());
  ring = add({kAhead, kFields}, b.getI32Type());
  b.setInsertionPointAfter(other);
  InitBarriersOp::create(b, ready, /*count=*/1);
  InitBarriersOp::create(b, free,
                         schedule.consumerWarps() + schedule.copyWarps);
  return success();
}

void Sharer::store(Value value, Value slot, int64_t field) {
  if (value.getType().isIndex())
    value = arith::IndexCastOp::create(b, b.getI32Type(), value);
  memref::StoreOp::create(b, value, ring, ValueRange{slot, index(field)});
}

SmallVector<Value> Sharer::read(Value slot) {
  SmallVector<Value> fields;
  for (int64_t field = 0; field < kFields; ++field) {
    Value value =
        memref::LoadOp::create(b, ring, ValueRange{slot, index(field)});
    fields.push_back(arith::IndexCastOp::create(b, b.getIndexType(), value));
  }
  return fields;
}

SmallVector<Value> Sharer::next(Value slot, Value parity) {
  static_assert(kAhead == 2, "the slot is the other one");
  Value wraps = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, slot,
                                      index(kAhead - 1));
  Value flipped = arith::XOrIOp::create(b, parity, i32(1));
  return {arith::SubIOp::create(b, index(kAhead - 1), slot),
          arith::SelectOp::create(b, wraps, flipped, parity)};
}

/// The number of this CTA's next tile: the first that nobody has, or `stride`
/// tiles on.
Value Sharer::takeNumber(Value number, Value stride) {
  if (!workspace)
    return arith::AddIOp::create(b, number, stride);
  Value taken = memref::AtomicRMWOp::create(
      b, arith::AtomicRMWKind::addi, i32(1), workspace, ValueRange{index(0)});
  taken = arith::IndexCastOp::create(b, b.getIndexType(), taken);
  return arith::AddIOp::create(b, taken, stride);
}

/// The last CTA to end leaves the workspace as it was: nobody takes a number
/// any more. The fences order the numbers that all have taken, the count of
/// CTAs, and the zeros; LLVM would drop an ordering of the count itself.
void Sharer::putBack() {
  auto fence = [&] {
    LLVM::FenceOp::create(b, LLVM::AtomicOrdering::acq_rel, "device");
  };
  fence();
  Value before = memref::AtomicRMWOp::create(
      b, arith::AtomicRMWKind::addi, i32(1), workspace, ValueRange{index(1)});
  fence();
  Value ctas = gpu::GridDimOp::create(b, gpu::Dimension::x);
  ctas = arith::IndexCastOp::create(b, b.getI32Type(), ctas);
  Value isLast = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, before,
                                       arith::SubIOp::create(b, ctas, i32(1)));
  auto last = scf::IfOp::create(b, isLast);
  b.setInsertionPointToStart(last.thenBlock());
  for (int64_t word = 0; word < 2; ++word)
    memref::StoreOp::create(b, i32(0), workspace, ValueRange{index(word)});
  b.setInsertionPointAfter(last);
}

/// Puts a tile, or the end, into a slot that all have read.
void Sharer::publish(LocateTileOp locate, Value number, Value isTile,
                     Value slot, Value parity) {
  WaitBarrierOp::create(b, free, slot,
                        arith::XOrIOp::create(b, parity, i32(1)));
  auto branch = scf::IfOp::create(b, isTile, /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    IRMapping mapping;
    mapping.map(locate.getNumber(), number);
    for (auto [field, value] :
         llvm::enumerate(b.clone(*locate, mapping)->getResults()))
      store(value, slot, field);
    b.setInsertionPointToStart(branch.elseBlock());
    for (int64_t field = 0; field < kFields; ++field)
      store(i32(-1), slot, field);
  }
  // One arrival, no bytes.
  ExpectBytesOp::create(b, ready, slot, i32(0));
}

/// while (publish(number)) number = next;
void Sharer::rewriteScheduler(scf::ForOp loop) {
  b.setInsertionPoint(loop);
  LocateTileOp locate = findLocate(loop);
  Value stride = loop.getStep();
  auto rewritten = scf::WhileOp::create(
      b, TypeRange{b.getIndexType(), b.getIndexType(), b.getI32Type()},
      ValueRange{loop.getLowerBound(), index(0), i32(0)},
      [&](OpBuilder &builder, Location, ValueRange args) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        // Ahead of everything that takes time.
        Value following = takeNumber(args[0], stride);
        Value isTile = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                             args[0], loop.getUpperBound());
        publish(locate, args[0], isTile, args[1], args[2]);
        scf::ConditionOp::create(b, isTile,
                                 ValueRange{following, args[1], args[2]});
      },
      [&](OpBuilder &builder, Location, ValueRange args) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        SmallVector<Value> after = next(args[1], args[2]);
        scf::YieldOp::create(b, ValueRange{args[0], after[0], after[1]});
      });
  b.setInsertionPointAfter(rewritten);
  if (workspace)
    putBack();
  loop.erase();
}

/// while (tile = read()) body(tile);
void Sharer::rewriteReader(scf::ForOp loop, bool isWarp) {
  b.setInsertionPoint(loop);
  LocateTileOp locate = findLocate(loop);
  SmallVector<Value> inits(loop.getInits());
  const size_t carried = inits.size();
  inits.append({index(0), i32(0)});
  SmallVector<Type> types(ValueRange(inits).getTypes());
  types.append(kFields, b.getIndexType());
  auto rewritten = scf::WhileOp::create(
      b, types, inits,
      [&](OpBuilder &builder, Location, ValueRange args) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        Value slot = args[carried], parity = args[carried + 1];
        WaitBarrierOp::create(b, ready, slot, parity);
        const SmallVector<Value> tile = read(slot);
        if (isWarp) {
          ArriveBarrierOp::create(b, free, slot);
        } else {
          ExpectBytesOp::create(b, free, slot, i32(0));
        }
        Value isTile = arith::CmpIOp::create(b, arith::CmpIPredicate::sge,
                                             tile[kColumn], index(0));
        SmallVector<Value> passed(args);
        llvm::append_range(passed, tile);
        scf::ConditionOp::create(b, isTile, passed);
      },
      [&](OpBuilder &builder, Location, ValueRange args) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        IRMapping mapping;
        mapping.map(loop.getRegionIterArgs(), args.take_front(carried));
        mapping.map(locate.getResults(), args.take_back(kFields));
        for (Operation &op : llvm::drop_begin(*loop.getBody()))
          if (&op != loop.getBody()->getTerminator())
            b.clone(op, mapping);
        SmallVector<Value> yielded;
        for (Value value : loop.getYieldedValues())
          yielded.push_back(mapping.lookupOrDefault(value));
        llvm::append_range(yielded, next(args[carried], args[carried + 1]));
        scf::YieldOp::create(b, yielded);
      });
  loop.replaceAllUsesWith(rewritten.getResults().take_front(carried));
  loop.erase();
}

LogicalResult Sharer::findLoops() {
  for (scf::ForOp loop : loops) {
    auto attr = loop->getAttrOfType<StringAttr>("mxfp4.role");
    const StringRef role = attr ? attr.getValue() : "";
    if (role != "schedule" && role != "copy" && role != "multiply")
      return loop.emitOpError("requires mxfp4.role to be \"schedule\", "
                              "\"copy\" or \"multiply\"");
    LocateTileOp locate = findLocate(loop);
    if (!locate || locate.getNumber() != loop.getInductionVar() ||
        !loop.getInductionVar().hasOneUse() ||
        loop->getParentOfType<scf::ForOp>())
      return loop.emitOpError("marked mxfp4.role requires a body that begins "
                              "with mxfp4.locate_tile and uses the number of "
                              "the tile nowhere else, and no loop around it");
    if (role != "schedule") {
      readers.push_back({loop, role});
      continue;
    }
    if (scheduler || loop.getNumResults() != 0)
      return loop.emitOpError("marked mxfp4.role = \"schedule\" requires to be "
                              "the only one in its kernel, and to carry "
                              "nothing");
    scheduler = loop;
  }
  if (!scheduler)
    return kernel.emitOpError("requires a loop marked mxfp4.role = "
                              "\"schedule\", which canonicalization removes: "
                              "run mxfp4-share-tiles before it");
  return success();
}

LogicalResult Sharer::findWorkspace() {
  workspace = findArgument(kernel, "workspace");
  const auto expected = MemRefType::get({2}, b.getI32Type());
  if (!workspace || workspace.getType() == expected)
    return success();
  return kernel.emitOpError()
         << "requires its argument \"workspace\" to have "
            "type "
         << expected << ", but got " << workspace.getType();
}

LogicalResult Sharer::run() {
  if (failed(findLoops()) || failed(findWorkspace()))
    return failure();
  if (failed(createRing()))
    return kernel.emitOpError("requires barriers (mxfp4.init_barriers) to set "
                              "up others with");
  rewriteScheduler(scheduler);
  for (auto [loop, role] : readers)
    rewriteReader(loop, /*isWarp=*/role == "multiply");
  return success();
}

namespace {

struct ShareTilesPass : mxfp4::impl::ShareTilesBase<ShareTilesPass> {
  using ShareTilesBase::ShareTilesBase;

  void runOnOperation() override {
    SmallVector<gpu::GPUFuncOp> kernels;
    getOperation()->walk([&](gpu::GPUFuncOp op) { kernels.push_back(op); });
    for (gpu::GPUFuncOp kernel : kernels) {
      auto attr = kernel->getAttrOfType<ScheduleAttr>("mxfp4.schedule");
      // By program.
      std::map<int64_t, SmallVector<scf::ForOp>> programs;
      kernel.walk([&](scf::ForOp loop) {
        if (!loop->hasAttr("mxfp4.role"))
          return;
        auto program = loop->getAttrOfType<IntegerAttr>("mxfp4.program");
        programs[program ? program.getInt() : 0].push_back(loop);
      });
      for (const auto &[program, loops] : programs)
        if (attr && failed(Sharer(kernel, attr.toSchedule(), loops).run()))
          return signalPassFailure();
    }
  }
};

} // namespace
