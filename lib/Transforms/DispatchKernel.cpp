//===- DispatchKernel.cpp - The kernel of mxfp4.dispatch ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A CTA has a token, and its threads hold the token's values in registers from
// the load, 16 bytes at a time where K allows, to the stores into the rows of
// its slots: memory is read once, in order, and each row is written whole.
//
//===----------------------------------------------------------------------===//

#include "SlotRows.h"

using namespace mlir;
using namespace mxfp4;

void mxfp4::emitDispatch(CtaBuilder &c, const RoutingKernel &kernel,
                         const RoutingArguments &arguments) {
  RowUnits units(c, kernel);
  SlotRows slots(c, kernel, arguments);
  Value out = slots.flat(arguments.out);
  slots.forTokens([&](Value token) {
    // Memory takes its time while the rows are found.
    SmallVector<Value> values = units.load(arguments.x, token, Value());
    slots.find(token);
    slots.forRows([&](Value row) { units.store(values, out, row); });
    slots.finish(token);
  });
}
