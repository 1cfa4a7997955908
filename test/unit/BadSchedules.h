//===- BadSchedules.h - Schedules that cannot run ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tests list changes of a schedule that can run, each with a part of the
// message that says what is wrong then.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TEST_UNIT_BADSCHEDULES_H
#define MXFP4_TEST_UNIT_BADSCHEDULES_H

#include "Schedules.h"

#include <gtest/gtest.h>

namespace mxfp4 {

/// A change that makes a schedule one that cannot run, and what is said of it.
struct BadSchedule {
  const char *expected;
  void (*change)(Schedule &);
};

/// The schedule can run, and its change is explained.
inline void expectExplained(const BadSchedule &bad, Schedule schedule) {
  ASSERT_EQ(verifySchedule(schedule, 1, h100()), "");
  bad.change(schedule);
  const std::string message = verifySchedule(schedule, 1, h100());
  EXPECT_NE(message.find(bad.expected), std::string::npos)
      << bad.expected << " / " << message;
}

} // namespace mxfp4

#endif // MXFP4_TEST_UNIT_BADSCHEDULES_H
