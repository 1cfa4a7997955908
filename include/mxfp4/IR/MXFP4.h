//===- MXFP4.h - The mxfp4 dialect ------------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Dialect, types, attributes and operations. See MXFP4Ops.td,
// MXFP4ConversionOps.td, MXFP4RoutingOps.td and MXFP4RowOps.td for operations
// on tensors and memrefs, MXFP4ProgramOps.td, MXFP4HandOutOps.td,
// MXFP4LoopOps.td and MXFP4RoleOps.td for the structure of a kernel,
// MXFP4TileOps.td and MXFP4FragmentOps.td for operations on tiles and
// fragments.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_MXFP4_H
#define MXFP4_IR_MXFP4_H

#include "mxfp4/Core/Schedule.h"
#include "mxfp4/Core/WeightLayout.h"
#include "mxfp4/IR/Epilogue.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

namespace mxfp4 {

// LLVM looks for this name. NOLINTNEXTLINE(readability-identifier-naming)
llvm::hash_code hash_value(const Schedule &schedule);
// NOLINTNEXTLINE(readability-identifier-naming)
llvm::hash_code hash_value(const Device &device);

/// Who provides the value of a kernel's argument.
enum class Provider {
  Caller,
  /// Memory that the launcher keeps for the kernel, zeros at first, or a number
  /// that it computes from what the caller gives.
  Launcher
};

} // namespace mxfp4

#include "mxfp4/IR/MXFP4Dialect.h.inc"
#include "mxfp4/IR/MXFP4Enums.h.inc"

#define GET_TYPEDEF_CLASSES
#include "mxfp4/IR/MXFP4Types.h.inc"

#define GET_ATTRDEF_CLASSES
#include "mxfp4/IR/MXFP4Attrs.h.inc"

namespace mxfp4 {
class RoleOp;
class WgmmaOp;
} // namespace mxfp4

#define GET_OP_CLASSES
#include "mxfp4/IR/MXFP4Ops.h.inc"

namespace mxfp4 {

/// Version of the dialect that bytecode carries. Files of versions 1 to this
/// one can be read.
inline constexpr uint64_t kBytecodeVersion = 9;

/// The target that the closest `mxfp4.target` around an operation names, or the
/// default.
Target targetOf(mlir::Operation *op);

/// Whether the elements of a buffer lie one behind the other, as far as its
/// type can tell; the offset does not matter.
enum class Contiguity { No, Unknown, Yes };
Contiguity contiguityOf(mlir::MemRefType type);

/// The same shape and memory space with identity layout.
mlir::MemRefType withIdentityLayout(mlir::MemRefType type);

/// The type of numbers that an instruction may multiply or add, and the
/// reverse.
std::optional<NumberType> numberTypeOf(mlir::Type type);
mlir::Type typeOf(mlir::MLIRContext *context, NumberType type);

/// Whether an instruction multiplies activations of this type of elements.
bool isActivation(mlir::Type element);

/// Whether the rows of a tile in shared memory are those of a stage: of the
/// type that an instruction has for this operand, and as many as a row holds.
bool hasStageRows(mlir::MemRefType type,
                  NumberType InstructionTraits::*operand);

/// The registers that hold a fragment of A for a tile of decoded weights.
mlir::Type registerOf(mlir::Type tile);

/// The layout of a block, or of the blocks of a memref or tensor.
BlockLayout layoutOf(mlir::Type type);

/// Registers bufferization and runtime-verification interfaces of the dialect.
/// Kept apart from the dialect so that users without bufferization do not link
/// it.
void registerExternalModels(mlir::DialectRegistry &registry);

} // namespace mxfp4

#endif // MXFP4_IR_MXFP4_H
