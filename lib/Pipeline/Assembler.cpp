//===- Assembler.cpp - Run ptxas ------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Assembler.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/Regex.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mxfp4;

static std::string findPtxas(StringRef path) {
  if (!path.empty())
    return path.str();
  if (auto fromEnvironment = llvm::sys::Process::GetEnv("MXFP4_PTXAS"))
    return *fromEnvironment;
  if (auto home = llvm::sys::Process::GetEnv("CUDA_HOME")) {
    llvm::SmallString<128> candidate(*home);
    llvm::sys::path::append(candidate, "bin", "ptxas");
    if (llvm::sys::fs::can_execute(candidate))
      return candidate.str().str();
  }
  if (auto found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  return "";
}

namespace {

/// A temporary file that goes away with the object.
class Temporary {
public:
  explicit Temporary(StringRef suffix) {
    if (llvm::sys::fs::createTemporaryFile("mxfp4", suffix, path))
      path.clear();
    remover.setFile(path);
  }
  bool isValid() const { return !path.empty(); }
  StringRef name() const { return path; }

  bool write(StringRef text) const {
    std::error_code error;
    llvm::raw_fd_ostream stream(path, error);
    stream << text;
    stream.close();
    const bool good = !error && !stream.has_error();
    stream.clear_error(); // LLVM ends the process where nobody has asked.
    return good;
  }
  std::string read() const {
    auto buffer = llvm::MemoryBuffer::getFile(path);
    return buffer ? (*buffer)->getBuffer().str() : "";
  }

private:
  llvm::SmallString<128> path;
  llvm::FileRemover remover;
};

int number(StringRef text, const char *pattern) {
  SmallVector<StringRef> groups;
  int value = 0;
  if (llvm::Regex(pattern).match(text, &groups))
    (void)groups[1].getAsInteger(10, value);
  return value;
}

void readReport(StringRef report, Assembly &assembly) {
  assembly.registers = number(report, "Used ([0-9]+) registers");
  assembly.stackBytes = number(report, "([0-9]+) bytes stack frame");
  assembly.spillBytes = number(report, "([0-9]+) bytes spill stores") +
                        number(report, "([0-9]+) bytes spill loads");
  assembly.staticSharedBytes = number(report, "([0-9]+) bytes smem");
  SmallVector<StringRef> lines;
  report.split(lines, '\n');
  for (StringRef line : lines)
    if (line.contains("warning") || line.contains("C75"))
      assembly.warnings += line.str() + "\n";
}

} // namespace

/// "13.0.88" from "Cuda compilation tools, release 13.0, V13.0.88".
static std::string queryVersion(StringRef ptxas) {
  Temporary output("txt");
  if (!output.isValid())
    return "unknown";
  std::optional<StringRef> redirects[] = {StringRef(""), output.name(),
                                          output.name()};
  if (llvm::sys::ExecuteAndWait(ptxas, {ptxas, "--version"}, std::nullopt,
                                redirects) != 0)
    return "unknown";
  const std::string text = output.read();
  SmallVector<StringRef> groups;
  if (llvm::Regex("V([0-9]+\\.[0-9]+\\.[0-9]+)").match(text, &groups))
    return groups[1].str();
  return "unknown";
}

llvm::json::Object mxfp4::resources(const Assembly &assembly) {
  llvm::json::Array warnings;
  SmallVector<StringRef> lines;
  StringRef(assembly.warnings).split(lines, '\n', -1, /*KeepEmpty=*/false);
  for (StringRef line : lines)
    warnings.push_back(line);
  return llvm::json::Object{{"registers", assembly.registers},
                            {"stack_bytes", assembly.stackBytes},
                            {"spill_bytes", assembly.spillBytes},
                            {"static_shared_bytes", assembly.staticSharedBytes},
                            {"warnings", std::move(warnings)}};
}

FailureOr<Assembly> mxfp4::assemble(StringRef ptx, StringRef chip,
                                    StringRef path, Location location) {
  const std::string ptxas = findPtxas(path);
  if (ptxas.empty())
    return emitError(location)
           << "a cubin needs ptxas, which was not found: install CUDA's "
              "compiler (the Python package nvidia-cuda-nvcc has it) and set "
              "MXFP4_PTXAS, CUDA_HOME or PATH, or compile without assemble";
  if (!llvm::sys::fs::can_execute(ptxas))
    return emitError(location) << "ptxas is said to be '" << ptxas
                               << "', which is not a program that can be run";
  Temporary input("ptx"), output("cubin"), report("txt");
  if (!input.isValid() || !output.isValid() || !report.isValid() ||
      !input.write(ptx))
    return emitError(location)
           << "could not write temporary files for ptxas; is the temporary "
              "directory writable and not full?";
  const std::string arch = ("-arch=" + chip).str();
  const StringRef arguments[] = {ptxas,        arch, "-v",
                                 input.name(), "-o", output.name()};
  std::optional<StringRef> redirects[] = {StringRef(""), report.name(),
                                          report.name()};
  std::string message;
  const int status = llvm::sys::ExecuteAndWait(ptxas, arguments, std::nullopt,
                                               redirects, /*SecondsToWait=*/120,
                                               /*MemoryLimit=*/0, &message);
  if (status != 0)
    return emitError(location)
           << "ptxas (" << ptxas
           << ") failed: " << (message.empty() ? report.read() : message);
  Assembly assembly;
  assembly.cubin = output.read();
  assembly.version = queryVersion(ptxas);
  readReport(report.read(), assembly);
  return assembly;
}
