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
// Operations that versions before had less of
//===----------------------------------------------------------------------===//
//
// Operands that a file has none of are at the end of the segments of an
// operation, such as rows that `quantize_rows` scatters to, which version 5
// has, rows that it scatters scales to, which version 7 has, or counts of what
// a matmul has stored, which version 8 has.

static bool isAtMost(DialectBytecodeReader &reader, uint64_t number) {
  const FailureOr<const DialectVersion *> version =
      reader.getDialectVersion<MXFP4Dialect>();
  return succeeded(version) &&
         static_cast<const Version *>(*version)->number <= number;
}

static bool isVersion1(DialectBytecodeReader &reader) {
  return isAtMost(reader, 1);
}

/// Up to version 2 all sums were f32.
template <typename Properties>
static LogicalResult readAccumulation(DialectBytecodeReader &reader,
                                      Properties &properties) {
  return isAtMost(reader, 2)
             ? success()
             : reader.readOptionalAttribute(properties.accumulation);
}

LogicalResult GroupedMatmulOp::readProperties(DialectBytecodeReader &reader,
                                              OperationState &state) {
  auto &properties = state.getOrAddProperties<Properties>();
  if (failed(reader.readOptionalAttribute(properties.schedule)) ||
      failed(reader.readSparseArray(
          MutableArrayRef(properties.operandSegmentSizes))) ||
      failed(readAccumulation(reader, properties)))
    return failure();
  if (!isAtMost(reader, 2) &&
      (failed(reader.readOptionalAttribute(properties.target)) ||
       failed(reader.readOptionalAttribute(properties.promises))))
    return failure();
  // Version 6 has inputs that are older than the kernel ahead.
  return isAtMost(reader, 5)
             ? success()
             : reader.readOptionalAttribute(properties.older_inputs);
}

void GroupedMatmulOp::writeProperties(DialectBytecodeWriter &writer) {
  const Properties &properties = getProperties();
  writer.writeOptionalAttribute(properties.schedule);
  writer.writeSparseArray(ArrayRef(properties.operandSegmentSizes));
  writer.writeOptionalAttribute(properties.accumulation);
  writer.writeOptionalAttribute(properties.target);
  writer.writeOptionalAttribute(properties.promises);
  writer.writeOptionalAttribute(properties.older_inputs);
}

LogicalResult TileMatmulOp::readProperties(DialectBytecodeReader &reader,
                                           OperationState &state) {
  auto &properties = state.getOrAddProperties<Properties>();
  return failure(failed(reader.readAttribute(properties.schedule)) ||
                 failed(readAccumulation(reader, properties)));
}

void TileMatmulOp::writeProperties(DialectBytecodeWriter &writer) {
  const Properties &properties = getProperties();
  writer.writeAttribute(properties.schedule);
  writer.writeOptionalAttribute(properties.accumulation);
}

/// Version 3 has the rows that a branch skips.
LogicalResult GatherActivationsOp::readProperties(DialectBytecodeReader &reader,
                                                  OperationState &state) {
  auto &properties = state.getOrAddProperties<Properties>();
  if (failed(reader.readOptionalAttribute(properties.warps)))
    return failure();
  if (!isAtMost(reader, 2) &&
      failed(reader.readOptionalAttribute(properties.branch_rows)))
    return failure();
  return reader.readSparseArray(
      MutableArrayRef(properties.operandSegmentSizes));
}

void GatherActivationsOp::writeProperties(DialectBytecodeWriter &writer) {
  const Properties &properties = getProperties();
  writer.writeOptionalAttribute(properties.warps);
  writer.writeOptionalAttribute(properties.branch_rows);
  writer.writeSparseArray(ArrayRef(properties.operandSegmentSizes));
}

/// Version 9 has blocks of a last step of which half is read.
LogicalResult BulkCopyWeightsOp::readProperties(DialectBytecodeReader &reader,
                                                OperationState &state) {
  auto &properties = state.getOrAddProperties<Properties>();
  if (failed(reader.readOptionalAttribute(properties.once)) ||
      failed(reader.readOptionalAttribute(properties.parts)))
    return failure();
  return isAtMost(reader, 8)
             ? success()
             : reader.readOptionalAttribute(properties.half_last);
}

void BulkCopyWeightsOp::writeProperties(DialectBytecodeWriter &writer) {
  const Properties &properties = getProperties();
  writer.writeOptionalAttribute(properties.once);
  writer.writeOptionalAttribute(properties.parts);
  writer.writeOptionalAttribute(properties.half_last);
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

/// Version 4 has groups of fewer steps than a stage.
LogicalResult WgmmaOp::readProperties(DialectBytecodeReader &reader,
                                      OperationState &state) {
  auto &properties = state.getOrAddProperties<Properties>();
  if (failed(reader.readOptionalAttribute(properties.buffer)) ||
      failed(reader.readAttribute(properties.columns)) ||
      failed(reader.readOptionalAttribute(properties.token_step)) ||
      failed(reader.readSparseArray(
          MutableArrayRef(properties.operandSegmentSizes))))
    return failure();
  return isAtMost(reader, 3)
             ? success()
             : reader.readOptionalAttribute(properties.first_step);
}

void WgmmaOp::writeProperties(DialectBytecodeWriter &writer) {
  const Properties &properties = getProperties();
  writer.writeOptionalAttribute(properties.buffer);
  writer.writeAttribute(properties.columns);
  writer.writeOptionalAttribute(properties.token_step);
  writer.writeSparseArray(ArrayRef(properties.operandSegmentSizes));
  writer.writeOptionalAttribute(properties.first_step);
}
