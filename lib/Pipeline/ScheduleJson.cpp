//===- ScheduleJson.cpp - A schedule for people and launchers -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScheduleJson.h"

#include "mxfp4/Core/Resources.h"
#include "mxfp4/Core/ScheduleText.h"

using namespace mxfp4;
using llvm::json::Array;
using llvm::json::Object;

std::string mxfp4::attributeText(const Schedule &schedule) {
  return "#mxfp4.schedule<" + text(schedule) + ">";
}

Array mxfp4::sharedMemory(const Schedule &schedule, const Problem &problem) {
  const SharedMemoryMap map(schedule, problem.layout, problem.groups);
  Array list;
  const auto add = [&](const SharedRegion &region, bool isDynamic) {
    Object object{{"name", region.name},
                  {"bytes", region.bytes},
                  {"alignment", region.alignment},
                  {"stages", region.count}};
    if (isDynamic)
      object["offset"] = region.offset;
    list.push_back(std::move(object));
  };
  for (const SharedRegion &region : map.regions())
    add(region, /*isDynamic=*/true);
  if (map.fixed.bytes != 0)
    add(map.fixed, /*isDynamic=*/false);
  return list;
}

Object mxfp4::deviceJson(const Device &device) {
  Object object{{"name", text(device)}};
  for (const DeviceField &field : deviceFields())
    object[field.key] = device.*field.member;
  return object;
}

Object mxfp4::registers(const Schedule &schedule, const Target &target) {
  const RegisterBudget budget(schedule, target);
  return Object{{"launch", budget.launch},
                {"producer", budget.producer},
                {"consumer", budget.consumer}};
}
