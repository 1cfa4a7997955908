//===- JoinPrograms.cpp - Programs beside each other become one -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

namespace mxfp4 {
#define GEN_PASS_DEF_JOINPROGRAMS
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

/// The schedule of a program.
static Schedule scheduleOf(WarpRolesOp roles) {
  Schedule schedule;
  roles.walk([&](KLoopOp loop) { schedule = loop.getSchedule().toSchedule(); });
  return schedule;
}

/// The roles of both, in place of the second: what that one uses may stand
/// behind the first. Roles that multiply come first.
static void join(WarpRolesOp first, WarpRolesOp second) {
  Block &body = second.getRoles().front();
  SmallVector<RoleOp> moved = first.getOrderedRoles();
  moved.front()->moveBefore(&body, body.begin());
  Operation *behind = second.getOrderedRoles()[1];
  for (RoleOp role : ArrayRef(moved).drop_front()) {
    role->moveAfter(behind);
    behind = role;
  }
  first.erase();
}

namespace {

struct JoinProgramsPass : mxfp4::impl::JoinProgramsBase<JoinProgramsPass> {
  using JoinProgramsBase::JoinProgramsBase;

  void runOnOperation() override {
    SmallVector<WarpRolesOp> programs;
    getOperation()->walk([&](WarpRolesOp roles) { programs.push_back(roles); });
    WarpRolesOp beside;
    for (WarpRolesOp roles : programs) {
      if (scheduleOf(roles).isShort() && beside &&
          beside->getBlock() == roles->getBlock()) {
        join(beside, roles);
        ++numJoined;
      }
      beside = scheduleOf(roles).isBeside() ? roles : WarpRolesOp();
    }
  }
};

} // namespace
