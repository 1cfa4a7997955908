//===- Families.cpp - Which function decodes which opcode -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mxfp4::sim;

DecodeFn mxfp4::sim::findFamily(std::string_view base) {
  static const std::map<std::string_view, DecodeFn> table = {
      // Integer arithmetic; float types go on to decodeFloat.
      {"add", decodeInteger},
      {"sub", decodeInteger},
      {"mul", decodeInteger},
      {"mad", decodeInteger},
      {"div", decodeInteger},
      {"rem", decodeInteger},
      {"neg", decodeInteger},
      {"abs", decodeInteger},
      {"min", decodeInteger},
      {"max", decodeInteger},
      {"sad", decodeInteger},
      {"addc", decodeInteger},
      {"subc", decodeInteger},
      {"mul24", decodeInteger},
      {"mad24", decodeInteger},
      {"dp4a", decodeInteger},
      // Bits.
      {"and", decodeBits},
      {"or", decodeBits},
      {"xor", decodeBits},
      {"not", decodeBits},
      {"cnot", decodeBits},
      {"shl", decodeBits},
      {"shr", decodeBits},
      {"shf", decodeBits},
      {"bfe", decodeFields},
      {"bfi", decodeFields},
      {"bmsk", decodeFields},
      {"szext", decodeFields},
      {"brev", decodeFields},
      {"popc", decodeFields},
      {"clz", decodeFields},
      {"bfind", decodeFields},
      {"prmt", decodeBits},
      {"lop3", decodeBits},
      // Floating point.
      {"fma", decodeFloat},
      {"sqrt", decodeFloat},
      {"rcp", decodeFloat},
      {"rsqrt", decodeFloat},
      {"ex2", decodeFloat},
      {"lg2", decodeFloat},
      {"sin", decodeFloat},
      {"cos", decodeFloat},
      {"tanh", decodeFloat},
      {"copysign", decodeFloat},
      {"setp", decodeCompare},
      {"set", decodeCompare},
      {"selp", decodeCompare},
      {"slct", decodeCompare},
      {"cvt", decodeConvert},
      // Data movement.
      {"mov", decodeMove},
      {"cvta", decodeMove},
      {"isspacep", decodeMove},
      {"mapa", decodeMove},
      {"getctarank", decodeMove},
      {"activemask", decodeMove},
      {"ld", decodeLoadStore},
      {"ldu", decodeLoadStore},
      {"st", decodeLoadStore},
      {"prefetch", decodeLoadStore},
      {"prefetchu", decodeLoadStore},
      {"createpolicy", decodeLoadStore},
      {"atom", decodeAtomic},
      {"red", decodeAtomic},
      // Control.
      {"bra", decodeControl},
      {"brx", decodeControl},
      {"ret", decodeControl},
      {"exit", decodeControl},
      {"trap", decodeControl},
      {"brkpt", decodeControl},
      {"nanosleep", decodeControl},
      {"griddepcontrol", decodeControl},
      {"pmevent", decodeControl},
      {"setmaxnreg", decodeControl},
      // Synchronisation.
      {"shfl", decodeWarpOp},
      {"vote", decodeWarpOp},
      {"match", decodeWarpOp},
      {"redux", decodeWarpOp},
      {"elect", decodeWarpOp},
      {"bar", decodeBarrier},
      {"barrier", decodeBarrier},
      {"membar", decodeFence},
      {"fence", decodeFence},
      {"mbarrier", decodeMbarrier},
      // Copies and matrices.
      {"cp", decodeCpAsync},
      {"ldmatrix", decodeMatrixMove},
      {"stmatrix", decodeMatrixMove},
      {"movmatrix", decodeMatrixMove},
      {"mma", decodeMma},
      {"wgmma", decodeWgmma}};
  auto it = table.find(base);
  return it == table.end() ? nullptr : it->second;
}
