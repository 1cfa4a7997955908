//===- ModulePipeline.cpp - Registering pipelines on modules --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModulePipeline.h"

#include "mxfp4/Core/Names.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;

std::string mxfp4::optionsError(StringRef pipeline, StringRef said,
                                const mlir::detail::PassOptions &options) {
  std::string printed;
  llvm::raw_string_ostream stream(printed);
  options.print(stream); // " {chip=sm_90a ...}"
  const StringRef defaults = StringRef(printed).trim().trim("{}").trim();
  std::vector<std::string> names;
  for (StringRef word : llvm::split(defaults, ' '))
    if (const StringRef name = word.split('=').first; !name.empty())
      names.push_back(name.str());
  // "<Pass-Options-Parser>: no such option NAME", or what is wrong with a
  // value.
  said = said.split(": ").second.trim();
  if (said.empty()) // LLVM has printed what is wrong with a value
    said = "an option has a value that cannot be read";
  std::string text = "the pipeline '" + pipeline.str() + "': " + said.str();
  if (names.empty())
    return text + "; it has no options";
  StringRef asked = said;
  const std::string near = asked.consume_front("no such option ")
                               ? nearestName(asked.str(), names)
                               : "";
  text += near.empty() ? "; its" : "; did you mean '" + near + "'? Its";
  return text + " options, with their defaults: " + defaults.str();
}
