//===- MXFP4Dialect.cpp - Dialect, types and attributes -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/IR/Promises.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Transforms/InliningUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

//===----------------------------------------------------------------------===//
// Text form of Core's enumerations
//===----------------------------------------------------------------------===//

namespace mxfp4 {
static raw_ostream &operator<<(raw_ostream &os, CodeOrder v) {
  return os << name(v);
}
static raw_ostream &operator<<(raw_ostream &os, ScaleEncoding v) {
  return os << name(v);
}
static raw_ostream &operator<<(raw_ostream &os, ColumnOrder v) {
  return os << name(v);
}
static raw_ostream &operator<<(raw_ostream &os, Provider v) {
  return os << (v == Provider::Caller ? "caller" : "launcher");
}

/// For parseEnum, as Core's.
static bool parse(const std::string &text, Provider &into) {
  into = text == "caller" ? Provider::Caller : Provider::Launcher;
  return text == "caller" || text == "launcher";
}

template <typename Enum>
static FailureOr<Enum> parseEnum(AsmParser &parser, StringRef expected) {
  StringRef keyword;
  SMLoc loc = parser.getCurrentLocation();
  if (failed(parser.parseKeyword(&keyword)))
    return failure();
  Enum value;
  if (!parse(keyword.str(), value)) {
    parser.emitError(loc) << "expected " << expected << ", got '" << keyword
                          << "'";
    return failure();
  }
  return value;
}
} // namespace mxfp4

namespace mlir {
template <> struct FieldParser<mxfp4::CodeOrder> {
  static FailureOr<mxfp4::CodeOrder> parse(AsmParser &parser) {
    return mxfp4::parseEnum<mxfp4::CodeOrder>(
        parser, "a code order, 'spread', 'nibble' or 'bytes'");
  }
};
template <> struct FieldParser<mxfp4::ScaleEncoding> {
  static FailureOr<mxfp4::ScaleEncoding> parse(AsmParser &parser) {
    return mxfp4::parseEnum<mxfp4::ScaleEncoding>(
        parser, "a scale encoding, 'folded', 'raw' or 'relative'");
  }
};
template <> struct FieldParser<mxfp4::ColumnOrder> {
  static FailureOr<mxfp4::ColumnOrder> parse(AsmParser &parser) {
    return mxfp4::parseEnum<mxfp4::ColumnOrder>(
        parser, "an order of columns, 'plain', 'interleaved' or 'apart'");
  }
};
template <> struct FieldParser<mxfp4::Provider> {
  static FailureOr<mxfp4::Provider> parse(AsmParser &parser) {
    return mxfp4::parseEnum<mxfp4::Provider>(
        parser, "who provides it, 'caller' or 'launcher'");
  }
};
} // namespace mlir

using namespace mxfp4;

static ParseResult parseArgName(AsmParser &parser, std::string &name,
                                bool &nullable) {
  if (failed(parser.parseKeywordOrString(&name)))
    return failure();
  nullable = succeeded(parser.parseOptionalKeyword("nullable"));
  return success();
}
static void printArgName(AsmPrinter &printer, StringRef name, bool nullable) {
  printer.printKeywordOrString(name);
  if (nullable)
    printer << " nullable";
}

/// Slots of a ring, and a word where readers fence.
static ParseResult parseRingSlots(AsmParser &parser, int64_t &slots,
                                  bool &fenced) {
  if (failed(parser.parseInteger(slots)))
    return failure();
  fenced = succeeded(parser.parseOptionalKeyword("fenced"));
  return success();
}

static void printRingSlots(AsmPrinter &printer, int64_t slots, bool fenced) {
  printer << slots << (fenced ? " fenced" : "");
}

static ParseResult parseDevice(AsmParser &parser, Device &device) {
  std::string text;
  const SMLoc loc = parser.getCurrentLocation();
  if (failed(parser.parseString(&text)))
    return failure();
  const std::string wrong = mxfp4::parse(text, device);
  return wrong.empty() ? ParseResult(success())
                       : parser.emitError(loc, "the target " + wrong);
}
static void printDevice(AsmPrinter &printer, const Device &device) {
  printer << '"' << text(device) << '"';
}

/// "fast", or "promoted 512".
static ParseResult parseInterval(AsmParser &parser, int64_t &interval) {
  interval = 0;
  if (succeeded(parser.parseOptionalKeyword("fast")))
    return success();
  return failure(failed(parser.parseKeyword("promoted")) ||
                 failed(parser.parseInteger(interval)));
}
static void printInterval(AsmPrinter &printer, int64_t interval) {
  if (interval == 0)
    printer << "fast";
  else
    printer << "promoted " << interval;
}

#include "mxfp4/IR/MXFP4Dialect.cpp.inc"
#include "mxfp4/IR/MXFP4Enums.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "mxfp4/IR/MXFP4Types.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "mxfp4/IR/MXFP4Attrs.cpp.inc"

LogicalResult BlockType::verify(function_ref<InFlightDiagnostic()> emitError,
                                CodeOrder order, ScaleEncoding scales,
                                ColumnOrder columns) {
  const std::string wrong = BlockLayout::of(order, scales, columns).verify();
  return wrong.empty() ? success() : LogicalResult(emitError() << wrong);
}

LogicalResult
AccumulationAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                         int64_t interval) {
  if (interval == 0 || interval == 128 || interval == 512)
    return success();
  return emitError()
         << "requires 'fast', 'promoted 512' or 'promoted 128', but "
            "got 'promoted "
         << interval << "'";
}

namespace {

/// Functions with operations of the dialect can be inlined: what an operation
/// does depends on its operands and attributes alone, wherever it stands.
struct MXFP4InlinerInterface : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;

  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final {
    return true;
  }
};

} // namespace

void MXFP4Dialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "mxfp4/IR/MXFP4Types.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "mxfp4/IR/MXFP4Attrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "mxfp4/IR/MXFP4Ops.cpp.inc"
      >();
  addBytecodeInterface();
  addInterfaces<MXFP4InlinerInterface>();
}

/// The marks of what is ours must not be found where nothing reads them.
static LogicalResult verifyMark(Operation *op, NamedAttribute attr) {
  const StringRef kernelsName = MXFP4Dialect::kKernelsAttr;
  const StringRef name = attr.getName().getValue();
  const bool isKernels = name == kernelsName;
  if (!isa<UnitAttr>(attr.getValue()))
    return op->emitOpError()
           << "requires '" << name << "' to be a unit attribute, but got "
           << attr.getValue();
  if (!isa<gpu::GPUModuleOp>(op) && (isKernels || !isa<gpu::BinaryOp>(op)))
    return op->emitOpError() << "cannot have the attribute '" << name
                             << "', which marks a gpu.module"
                             << (isKernels ? "" : " or a gpu.binary");
  if (isKernels && op->hasAttr(MXFP4Dialect::kCompiledAttr))
    return op->emitOpError()
           << "requires '" << kernelsName << "' or '"
           << MXFP4Dialect::kCompiledAttr << "', but has both";
  return success();
}

llvm::TypeSize BlockType::getTypeSizeInBits(const DataLayout &,
                                            DataLayoutEntryListRef) const {
  return llvm::TypeSize::getFixed(uint64_t(8) * getLayout().bytes());
}

uint64_t BlockType::getABIAlignment(const DataLayout &,
                                    DataLayoutEntryListRef) const {
  return 16;
}

LogicalResult
TensorMapType::verify(function_ref<InFlightDiagnostic()> emitError,
                      int64_t rows, int64_t step) {
  if (rows < 1 || rows > 256)
    return emitError() << "requires a box of 1 to 256 rows, but got " << rows;
  if (step < 0 || (step > 0 && rows % step != 0))
    return emitError() << "requires a step that divides the " << rows
                       << " rows of the largest box, but got " << step;
  return success();
}

LogicalResult TargetAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 StringRef chip, Device /*device*/) {
  if (findTarget(chip.str()))
    return success();
  return emitError() << "requires a chip that is known, but got \"" << chip
                     << "\"; " << adviseChips();
}

/// The target that an operation has for itself and for what it holds.
static TargetAttr targetOn(Operation *op) {
  if (auto matmul = dyn_cast<GroupedMatmulOp>(op);
      matmul && matmul.getTargetAttr())
    return matmul.getTargetAttr();
  return op->getAttrOfType<TargetAttr>(MXFP4Dialect::getTargetAttrName());
}

Target mxfp4::targetOf(Operation *op) {
  for (; op; op = op->getParentOp())
    if (TargetAttr attr = targetOn(op)) {
      Target target = *findTarget(attr.getChip().str());
      target.device = attr.getDevice();
      return target;
    }
  return defaultTarget();
}

LogicalResult MXFP4Dialect::verifyOperationAttribute(Operation *op,
                                                     NamedAttribute named) {
  if (named.getName() == kPromisesAttr)
    return verifyPromises(op, kPromisesAttr, named.getValue());
  if (named.getName() == kKernelsAttr || named.getName() == kCompiledAttr)
    return verifyMark(op, named);
  if (named.getName() != getTargetAttrName() ||
      isa<TargetAttr>(named.getValue()))
    return success();
  return op->emitOpError()
         << "requires mxfp4.target to be #mxfp4.target<\"chip\">, but got "
         << named.getValue();
}
