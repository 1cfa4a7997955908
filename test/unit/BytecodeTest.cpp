//===- BytecodeTest.cpp - Versions of the dialect in bytecode -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Bytecode/BytecodeImplementation.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace mlir;

namespace {

/// The dialect of another release, which writes its version.
template <uint64_t version> struct OtherBytecode : BytecodeDialectInterface {
  explicit OtherBytecode(Dialect *dialect)
      : BytecodeDialectInterface(dialect) {}
  void writeVersion(DialectBytecodeWriter &writer) const override {
    writer.writeVarInt(version);
  }
};

template <uint64_t version> struct OtherDialect : Dialect {
  static constexpr StringRef getDialectNamespace() { return "mxfp4"; }
  explicit OtherDialect(MLIRContext *context)
      : Dialect(getDialectNamespace(), context, TypeID::get<OtherDialect>()) {
    allowUnknownOperations();
    addInterfaces<OtherBytecode<version>>();
  }
};

template <typename DialectT> std::string toBytecode(StringRef text) {
  MLIRContext context;
  context.loadDialect<DialectT>();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
  std::string bytes;
  llvm::raw_string_ostream os(bytes);
  EXPECT_TRUE(module && succeeded(writeBytecodeToFile(*module, os)));
  return bytes;
}

/// Reads bytecode; the text of the module, or of the first error.
std::string read(StringRef bytes) {
  MLIRContext context;
  context.loadDialect<mxfp4::MXFP4Dialect>();
  std::string said;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (said.empty())
      said = diagnostic.str();
  });
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(bytes, &context);
  if (!module)
    return said;
  llvm::raw_string_ostream os(said);
  module->print(os);
  return said;
}

constexpr char kTypes[] =
    R"(module attributes {test.a = memref<2x!mxfp4.block<nibble, raw>>,
                          test.b = !mxfp4.tensor_map<256>} {})";

} // namespace

TEST(Bytecode, RoundTrips) {
  const std::string text = read(toBytecode<mxfp4::MXFP4Dialect>(kTypes));
  EXPECT_EQ(text,
            "module attributes {test.a = memref<2x!mxfp4.block<nibble, raw>>, "
            "test.b = !mxfp4.tensor_map<256>} {\n}\n");
}

TEST(Bytecode, ReadsItsOwnVersion) {
  const std::string bytes = toBytecode<OtherDialect<mxfp4::kBytecodeVersion>>(
      "\"mxfp4.load_more\"() : () -> ()");
  // The version is taken; the operation is not of this release.
  EXPECT_NE(read(bytes).find("mxfp4.load_more"), std::string::npos);
}

TEST(Bytecode, RefusesALaterVersion) {
  constexpr uint64_t later = mxfp4::kBytecodeVersion + 1;
  const std::string bytes =
      toBytecode<OtherDialect<later>>("\"mxfp4.load_more\"() : () -> ()");
  EXPECT_EQ(read(bytes),
            "this bytecode has version " + std::to_string(later) +
                " of the mxfp4 dialect, and versions 1 to " +
                std::to_string(mxfp4::kBytecodeVersion) +
                " can be read; write it again with this mxfp4, or read it with "
                "the one that wrote it");
}

TEST(Bytecode, RefusesVersionZero) {
  const std::string bytes =
      toBytecode<OtherDialect<0>>("\"mxfp4.load_more\"() : () -> ()");
  EXPECT_NE(read(bytes).find("has version 0"), std::string::npos);
}
