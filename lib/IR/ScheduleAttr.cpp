//===- ScheduleAttr.cpp - Schedules as attributes -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/ScheduleText.h"
#include "mxfp4/IR/MXFP4.h"

#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/BitVector.h"

using namespace mlir;
using namespace mxfp4;

llvm::hash_code mxfp4::hash_value(const Schedule &schedule) {
  llvm::hash_code hash(0);
  for (const ScheduleField &field : scheduleFields())
    hash = llvm::hash_combine(hash, field.get(schedule));
  return hash;
}

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   Schedule value) {
  // Only what keeps the arithmetic of `verifySchedule` in range; whether the
  // target can run it depends on the operation that carries the attribute.
  const std::string wrong = verifyFields(value);
  return wrong.empty() ? success() : LogicalResult(emitError() << wrong);
}

llvm::hash_code mxfp4::hash_value(const Device &device) {
  llvm::hash_code code = 0;
  for (const DeviceField &field : deviceFields())
    code = llvm::hash_combine(code, device.*field.member);
  return code;
}

void ScheduleAttr::print(AsmPrinter &printer) const {
  printer << "<" << text(getValue()) << ">";
}

/// A word that `parse` of Core knows.
template <typename Enum>
static ParseResult parseWord(AsmParser &parser, Enum &value,
                             StringRef expected) {
  StringRef word;
  const SMLoc loc = parser.getCurrentLocation();
  if (failed(parser.parseKeyword(&word)))
    return failure();
  if (parse(word.str(), value))
    return success();
  return parser.emitError(loc)
         << "expected " << expected << ", got '" << word << "'";
}

static ParseResult parseValue(AsmParser &parser, const ScheduleField &field,
                              Schedule &schedule) {
  const SMLoc loc = parser.getCurrentLocation();
  if (const auto *m = std::get_if<Instruction Schedule::*>(&field.member))
    return parseWord(parser, schedule.**m,
                     "an instruction, 'mma_sync', 'wgmma' or 'wgmma_fp8'");
  if (const auto *m = std::get_if<Placement Schedule::*>(&field.member))
    return parseWord(parser, schedule.**m,
                     "a placement, 'register' or 'shared'");
  int64_t number = 0;
  if (std::get_if<bool Schedule::*>(&field.member)) {
    StringRef word;
    if (failed(parser.parseKeyword(&word)))
      return failure();
    if (word != "true" && word != "false")
      return parser.emitError(loc) << "expected 'true' or 'false' as "
                                   << field.name << ", got '" << word << "'";
    number = word == "true";
  } else if (failed(parser.parseInteger(number))) {
    return failure();
  }
  const std::string wrong = field.set(schedule, number);
  return wrong.empty() ? success() : ParseResult(parser.emitError(loc, wrong));
}

Attribute ScheduleAttr::parse(AsmParser &parser, Type) {
  const std::vector<ScheduleField> &fields = scheduleFields();
  const SMLoc start = parser.getCurrentLocation();
  Schedule schedule;
  llvm::BitVector given(fields.size());
  const auto parseField = [&]() -> ParseResult {
    StringRef key;
    const SMLoc loc = parser.getCurrentLocation();
    if (failed(parser.parseKeyword(&key)))
      return failure();
    const auto *field =
        llvm::find_if(ArrayRef(fields),
                      [&](const ScheduleField &f) { return f.name == key; });
    if (field == ArrayRef(fields).end())
      return parser.emitError(loc) << "a schedule has no field '" << key << "'";
    const size_t number = field - fields.data();
    if (given[number])
      return parser.emitError(loc) << "a schedule has the field '" << key
                                   << "' once, but it is given twice";
    given.set(number);
    if (failed(parser.parseEqual()))
      return failure();
    return parseValue(parser, *field, schedule);
  };
  if (failed(parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater,
                                            parseField)))
    return {};
  int format = 1;
  for (auto [number, field] : llvm::enumerate(fields)) {
    if (field.isRequired && !given[number]) {
      parser.emitError(start)
          << "a schedule requires the field '" << field.name << "'";
      return {};
    }
    if (given[number])
      format = std::max(format, field.format);
    else
      field.infer(schedule);
  }
  if (format == 1)
    schedule = upgradeSchedule(schedule);
  return parser.getChecked<ScheduleAttr>(start, parser.getContext(), schedule);
}
