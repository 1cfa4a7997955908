//===- ScheduleText.h - Schedules as text -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A schedule as "instruction = wgmma, rows = 64, ...", whose text means the
// same kernel in every release: a field that is left out has its default, and
// defaults are constants. A field that a release adds has the default that
// leaves older text its meaning. Where no constant does, the default is what
// compilers inferred from the other fields when there was no such field, by a
// rule that stands here and that no release changes: a rule of one field
// (`ScheduleField::inferred`), or of all that the first format did not have
// (`upgradeSchedule`).
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_SCHEDULETEXT_H
#define MXFP4_CORE_SCHEDULETEXT_H

#include "mxfp4/Core/Schedule.h"

#include <variant>

namespace mxfp4 {

/// One field of a schedule. Equality, text, hashes and descriptions of
/// schedules go through the list of fields.
struct ScheduleField {
  std::string name;
  std::variant<int Schedule::*, bool Schedule::*, Instruction Schedule::*,
               Placement Schedule::*>
      member;
  /// Always written; the others are left out where they have their default.
  bool isRequired = false;
  /// Format of text that knows the field first; the first format is 1.
  int format = 1;
  /// What an int may be.
  int least = 0, most = 1024;
  /// The default, as it follows from the fields without such a rule; null if it
  /// is a constant.
  int (*inferred)(const Schedule &) = nullptr;

  /// The value as a number and as text.
  int64_t get(const Schedule &schedule) const;
  std::string text(const Schedule &schedule) const;
  bool isDefault(const Schedule &schedule) const;
  /// Gives a field that text left out its default, if that is inferred.
  void infer(Schedule &schedule) const;
  /// Sets an int or, with 0 or 1, a bool. Returns what is wrong with the number
  /// as the rest of a sentence ("requires ..."); empty if nothing is.
  std::string set(Schedule &schedule, int64_t number) const;
};

/// All fields, in the order of text.
const std::vector<ScheduleField> &scheduleFields();

/// The fields that are required or have another value than the default.
std::string text(const Schedule &schedule);

/// What is wrong with a field by itself or with another, whatever the target
/// and the problem, as the rest of a sentence; empty if nothing is.
std::string verifyFields(const Schedule &schedule);

/// What a text meant that names no field of a later format than 1. In that
/// format, compilers inferred the later fields of a wgmma schedule from the
/// others by the rules that are kept here; no rule may change.
Schedule upgradeSchedule(Schedule schedule);

} // namespace mxfp4

#endif // MXFP4_CORE_SCHEDULETEXT_H
