//===- Bytecode.cpp - The dialect's version in bytecode -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Types and attributes are stored as text, so that there is one format of each
// to keep; operations are stored as tablegen says. Raise `kBytecodeVersion`
// when a file written before would be read as something else, and upgrade it
// here.
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Bytecode/BytecodeImplementation.h"

using namespace mlir;
using namespace mxfp4;

namespace {

struct Version : DialectVersion {
  explicit Version(uint64_t number) : number(number) {}
  uint64_t number;
};

struct BytecodeInterface : BytecodeDialectInterface {
  explicit BytecodeInterface(Dialect *dialect)
      : BytecodeDialectInterface(dialect) {}

  void writeVersion(DialectBytecodeWriter &writer) const override {
    writer.writeVarInt(kBytecodeVersion);
  }

  std::unique_ptr<DialectVersion>
  readVersion(DialectBytecodeReader &reader) const override {
    uint64_t number;
    if (failed(reader.readVarInt(number)))
      return nullptr;
    if (number >= 1 && number <= kBytecodeVersion)
      return std::make_unique<Version>(number);
    reader.emitError() << "this bytecode has version " << number
                       << " of the mxfp4 dialect, and versions 1 to "
                       << kBytecodeVersion
                       << " can be read; write it again with this mxfp4, or "
                          "read it with the one that wrote it";
    return nullptr;
  }
};

} // namespace

void MXFP4Dialect::addBytecodeInterface() {
  addInterfaces<BytecodeInterface>();
}
