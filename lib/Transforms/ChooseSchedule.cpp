//===- ChooseSchedule.cpp - Attach a schedule to each grouped matmul ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelRemarks.h"

#include "mxfp4/Core/NestingDepth.h"
#include "mxfp4/Core/Schedule.h"
#include "mxfp4/IR/KernelSignature.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/Builders.h"

namespace mxfp4 {
#define GEN_PASS_DEF_CHOOSESCHEDULE
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

constexpr StringLiteral kChooseSchedule = "mxfp4-choose-schedule";

struct ChooseSchedulePass
    : mxfp4::impl::ChooseScheduleBase<ChooseSchedulePass> {
  using ChooseScheduleBase::ChooseScheduleBase;

  void runOnOperation() override {
    const Target *target = findTarget(chip);
    Preference preference;
    if (!target) {
      getOperation()->emitError() << "mxfp4-choose-schedule knows no chip '"
                                  << chip << "'; " << adviseChips();
      return signalPassFailure();
    }
    if (const std::string problem =
            parsePreference(placement, instruction, preference);
        !problem.empty()) {
      getOperation()->emitError() << "mxfp4-choose-schedule " << problem;
      return signalPassFailure();
    }
    ScheduleAttr given;
    if (!schedule.empty()) {
      if (mlirDepth(schedule.getValue()) <= kMostMlirDepth)
        given = dyn_cast_or_null<ScheduleAttr>(
            parseAttribute(schedule, &getContext()));
      if (!given) {
        getOperation()->emitError()
            << "mxfp4-choose-schedule expects schedule=#mxfp4.schedule<...>, "
               "but got '"
            << schedule << "'";
        return signalPassFailure();
      }
    }
    if (failed(checkRowsHint(getOperation(), kChooseSchedule, rowsHint)))
      return signalPassFailure();
    Device asked;
    if (const std::string problem =
            device.empty() ? "" : mxfp4::parse(device, asked);
        !problem.empty()) {
      getOperation()->emitError() << "mxfp4-choose-schedule " << problem;
      return signalPassFailure();
    }
    preference.batchInvariant = batchInvariant;
    const WalkResult walked = getOperation()->walk([&](GroupedMatmulOp op) {
      Target wanted = *target;
      wanted.device = device.empty() ? targetOf(op).device : asked;
      if (given)
        op.setScheduleAttr(given);
      if (!op.getScheduleAttr())
        choose(op, wanted, preference);
      else if (failed(checkGiven(op, preference, given != nullptr)))
        return WalkResult::interrupt();
      // Verifiers and later passes ask for the chip.
      if (op.getScheduleAttr()) {
        op.setTargetAttr(TargetAttr::get(op.getContext(), chip, wanted.device));
        op->removeDiscardableAttr(MXFP4Dialect::getTargetAttrName());
      }
      return WalkResult::advance();
    });
    if (walked.wasInterrupted())
      signalPassFailure();
  }

private:
  /// A schedule that the user gave, against what else the user asks for.
  /// Placement and instruction are for the chooser, so that an operation's own
  /// schedule is kept, whatever they are. The option `schedule` leaves the
  /// chooser nothing to do: an option that says otherwise is a mistake.
  LogicalResult checkGiven(GroupedMatmulOp op, const Preference &preference,
                           bool isOption) {
    const Schedule schedule = op.getScheduleAttr().toSchedule();
    const std::string wrong =
        batchInvariant ? verifyBatchInvariant(schedule) : "";
    if (!wrong.empty())
      return op.emitOpError() << "has a schedule that " << wrong;
    if (!isOption)
      return success();
    // placement=register is the option's default, also where nobody asks.
    if (preference.placement == Placement::Shared &&
        schedule.placement != Placement::Shared)
      return op.emitOpError()
             << "has a schedule with placement = register, but "
                "placement=shared is asked for; leave one of them out";
    if (preference.instruction &&
        *preference.instruction != schedule.instruction)
      return op.emitOpError()
             << "has a schedule with instruction = "
             << name(schedule.instruction)
             << ", but instruction=" << name(*preference.instruction)
             << " is asked for; leave one of them out";
    return success();
  }

  /// Attaches the chooser's answer, if the operation can have one.
  void choose(GroupedMatmulOp op, const Target &target,
              const Preference &preference) {
    const Problem problem = schedulingProblem(op, rowsHint);
    const bool isStatic = llvm::none_of(
        ArrayRef({problem.experts, problem.groups, problem.n, problem.k}),
        ShapedType::isDynamic);
    if (!op.getBlockType() || !isStatic || problem.groups > maxGroups()) {
      missedOn(op, kChooseSchedule, "schedule", [&] {
        return !op.getBlockType() ? "its weights are not in blocks"
               : !isStatic        ? "its N, K, experts or groups are not static"
                                  : "it has more groups than a kernel takes";
      });
      return;
    }
    const ScheduleChoice choice = chooseSchedule(problem, target, preference);
    op.setScheduleAttr(ScheduleAttr::get(op.getContext(), choice.schedule));
    op->setAttr("schedule_reason",
                StringAttr::get(op.getContext(), choice.reason));
    ++numChosen;
    passedOn(op, kChooseSchedule, "schedule", [&] { return choice.reason; });
  }
};

} // namespace
