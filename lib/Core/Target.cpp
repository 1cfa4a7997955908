//===- Target.cpp - Facts of the machines we compile for ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Target.h"

#include <algorithm>

using namespace mxfp4;

const std::vector<Target> &mxfp4::targets() {
  // CUDA C++ Programming Guide, "Features and Technical Specifications".
  static const std::vector<Target> rows = {
      {/*chip=*/"sm_90a",
       /*minPtx=*/80,
       /*maxPtx=*/90,
       /*defaultPtx=*/80,
       /*device=*/parts().front().device,
       /*sharedPerMultiprocessor=*/233472,
       /*sharedPerCTA=*/232448,
       /*sharedReserved=*/1024,
       /*registersPerMultiprocessor=*/65536,
       /*registersPerThread=*/255,
       /*threadsPerCTA=*/1024,
       /*threadsPerMultiprocessor=*/2048,
       /*instructions=*/
       {Instruction::MmaSync, Instruction::Wgmma, Instruction::WgmmaFP8}},
  };
  return rows;
}

const Target *mxfp4::findTarget(const std::string &chip) {
  for (const Target &target : targets())
    if (target.chip == chip)
      return &target;
  return nullptr;
}

bool Target::has(Instruction instruction) const {
  return std::find(instructions.begin(), instructions.end(), instruction) !=
         instructions.end();
}

const InstructionTraits *Target::find(NumberType activations,
                                      bool isAsynchronous) const {
  for (const Instruction instruction : instructions)
    if (const InstructionTraits &traits = traitsOf(instruction);
        traits.typeOfB == activations &&
        traits.isAsynchronous == isAsynchronous)
      return &traits;
  return nullptr;
}

std::string mxfp4::adviseChips() {
  std::string advice = "use ";
  for (const Target &target : targets())
    advice += (&target == &targets().front()  ? ""
               : &target == &targets().back() ? " or "
                                              : ", ") +
              target.chip;
  return advice;
}

const Target &mxfp4::defaultTarget() { return *findTarget("sm_90a"); }
