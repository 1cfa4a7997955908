//===- mxfp4-opt.cpp - Run passes of the mxfp4 dialect --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/NestingDepth.h"
#include "mxfp4/Pipeline/Input.h"
#include "mxfp4/Pipeline/Output.h"
#include "mxfp4/Pipeline/Pipeline.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mxfp4;

static constexpr char kBanner[] =
    R"(mxfp4-opt: ragged matrix multiplication with MXFP4 weights

Reads MLIR, runs passes, prints MLIR.

  mxfp4-opt --mxfp4-to-cpu in.mlir      from tensors or memrefs to the LLVM
                                        dialect for the CPU, for mlir-runner
  mxfp4-opt --mxfp4-raise in.mlir       linalg on dequantised weights to
                                        mxfp4.grouped_matmul
  mxfp4-opt --show-dialects             what can be parsed

Passes and pipelines that start with mxfp4- are this project's; the others are
the upstream ones that go with them.
)";

/// Prints what went wrong before MLIR was read, or after it was printed.
static LogicalResult explain(const std::string &message) {
  if (message.empty())
    return success();
  llvm::errs() << "mxfp4-opt: " << message << "\n";
  return failure();
}

/// Reads the input, runs passes, and prints. A file is printed into memory and
/// then written, so that it is whole or as it was; it may be the input, too.
static LogicalResult process(StringRef input, StringRef output,
                             DialectRegistry &registry,
                             const MlirOptMainConfig &config) {
  if (input == "-" && llvm::sys::Process::FileDescriptorIsDisplayed(0))
    llvm::errs() << "(processing input from stdin now, hit ctrl-c/ctrl-d to "
                    "interrupt)\n";
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> file = openInput(input, message);
  if (!file)
    return explain(message);
  // Whether or not it is MLIR, MLIR's parser would overflow the stack.
  message = refuseDepth(file->getBuffer(), "'" + input.str() + "'");
  if (!message.empty())
    return explain(message);
  if (output == "-")
    return MlirOptMain(llvm::outs(), std::move(file), registry, config);
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (failed(MlirOptMain(stream, std::move(file), registry, config)))
    return failure();
  return explain(writeFiles({{output.str(), text}}));
}

int main(int argc, char **argv) {
  llvm::InitLLVM initialise(argc, argv);
  reportFailedOutput("mxfp4-opt");
  for (StringRef option : ArrayRef(argv, argc))
    if (mlirDepth(option) > kMostMlirDepth)
      return asMainReturnCode(explain(
          "an option is nested more than " + std::to_string(kMostMlirDepth) +
          " deep: " + option.take_front(60).str() + "..."));
  DialectRegistry registry;
  registerAll(registry);
  registerAllPasses();
  const auto [input, output] =
      registerAndParseCLIOptions(argc, argv, kBanner, registry);
  const MlirOptMainConfig config = MlirOptMainConfig::createFromCLOptions();
  if (config.shouldShowDialects() || config.shouldListPasses())
    return asMainReturnCode(MlirOptMain(argc, argv, input, output, registry));
  return asMainReturnCode(process(input, output, registry, config));
}
