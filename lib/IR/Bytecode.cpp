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

//===----------------------------------------------------------------------===//
// Operations that version 1 had less of
//===----------------------------------------------------------------------===//
//
// mxfp4.grouped_matmul reads as it is: operands that a file has none of are at
// the end of its segments.

static bool isVersion1(DialectBytecodeReader &reader) {
  const FailureOr<const DialectVersion *> version =
      reader.getDialectVersion<MXFP4Dialect>();
  return succeeded(version) &&
         static_cast<const Version *>(*version)->number == 1;
}

/// Version 1 had the accumulator, the destination, a row, a block and the
/// number of rows.
LogicalResult StoreTileOp::readProperties(DialectBytecodeReader &reader,
                                          OperationState &state) {
  auto &properties = state.getOrAddProperties<Properties>();
  if (!isVersion1(reader))
    return failure(failed(reader.readOptionalAttribute(properties.or_none)) ||
                   failed(reader.readAttribute(properties.schedule)) ||
                   failed(reader.readSparseArray(
                       MutableArrayRef(properties.operandSegmentSizes))));
  properties.operandSegmentSizes = {1, 1, 1, 1, 1};
  return reader.readAttribute(properties.schedule);
}

void StoreTileOp::writeProperties(DialectBytecodeWriter &writer) {
  const Properties &properties = getProperties();
  writer.writeOptionalAttribute(properties.or_none);
  writer.writeAttribute(properties.schedule);
  writer.writeSparseArray(ArrayRef(properties.operandSegmentSizes));
}

LogicalResult BuildTileTableOp::readProperties(DialectBytecodeReader &reader,
                                               OperationState &state) {
  auto &properties = state.getOrAddProperties<Properties>();
  if (!isVersion1(reader) &&
      failed(reader.readOptionalAttribute(properties.or_less)))
    return failure();
  return reader.readAttribute(properties.schedule);
}

void BuildTileTableOp::writeProperties(DialectBytecodeWriter &writer) {
  const Properties &properties = getProperties();
  writer.writeOptionalAttribute(properties.or_less);
  writer.writeAttribute(properties.schedule);
}
