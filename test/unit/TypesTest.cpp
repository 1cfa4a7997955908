//===- TypesTest.cpp - Sizes of the dialect's types -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"

#include <gtest/gtest.h>

using namespace mlir;

namespace {

/// A block is 64 x 64 codes of 4 bits and a scale byte for each 32 of them,
/// whatever their order, and kernels copy it in units of 16 bytes.
TEST(Types, ABlockHasTheSizeOfItsCodesAndScales) {
  MLIRContext context;
  context.loadDialect<mxfp4::MXFP4Dialect>();
  for (StringRef text :
       {"!mxfp4.block<spread, folded>", "!mxfp4.block<spread, raw>",
        "!mxfp4.block<nibble, folded>", "!mxfp4.block<nibble, raw>"}) {
    Type block = parseType(text, &context);
    ASSERT_TRUE(block) << text.str();
    const DataLayout layout;
    EXPECT_EQ(layout.getTypeSizeInBits(block).getFixedValue(), 8u * 2176u);
    EXPECT_EQ(layout.getTypeSize(block).getFixedValue(), 2176u);
    EXPECT_EQ(layout.getTypeABIAlignment(block), 16u);
  }
}

} // namespace
