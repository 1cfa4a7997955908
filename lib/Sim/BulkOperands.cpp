//===- BulkOperands.cpp - Forms and operands of cp.async.bulk -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bulk.h"

#include "Decoder.h"

using namespace mxfp4::sim;

namespace {

bool decodeBulkPrefetch(Decoder &d) {
  if (d.i.mods & bulk::TensorForm) {
    d.i.fn = execNothing;
    return true;
  }
  d.i.fn = bulk::prefetch;
  return d.expectOps(2, 2 + bool(d.i.mods & bulk::HintFlag)) &&
         d.address(d.ops()[0]) && d.src(d.ops()[1], Ty::B32);
}

bool decodeTensorOperand(Decoder &d, const AstOperand &op) {
  if (op.k != AstOperand::Addr || op.elems.size() != 2 ||
      op.elems[1].k != AstOperand::Vec)
    return d.fail("expected \"[map, {coordinates}]\"");
  const auto &coords = op.elems[1].elems;
  if (coords.size() != d.i.b)
    return d.fail("expected " + plural(d.i.b, "coordinate") + ", found " +
                  std::to_string(coords.size()));
  if (!d.address(op))
    return false;
  for (const AstOperand &c : coords)
    if (!d.src(c, Ty::B32))
      return false;
  return true;
}

bool decodeLoad(Decoder &d, bool tensor) {
  d.i.fn = bulk::load;
  bool mask = d.i.mods & bulk::Multicast;
  size_t n = (tensor ? 3 : 4) + mask;
  if (!d.expectOps(n, n + bool(d.i.mods & bulk::HintFlag)))
    return false;
  const auto &ops = d.ops();
  uint32_t dst, mbar;
  if (!d.addressInto(ops[0], dst))
    return false;
  if (tensor ? !decodeTensorOperand(d, ops[1])
             : !d.address(ops[1]) || !d.src(ops[2], Ty::B32))
    return false;
  if (!d.addressInto(ops[tensor ? 2 : 3], mbar))
    return false;
  d.i.a = dst;
  d.i.c = mbar;
  return !mask || d.src(ops[n - 1], Ty::B16);
}

bool decodeStore(Decoder &d, bool tensor) {
  d.i.fn = bulk::store;
  size_t n = tensor ? 2 : 3;
  if (!d.expectOps(n, n + bool(d.i.mods & bulk::HintFlag)))
    return false;
  const auto &ops = d.ops();
  if (tensor ? !decodeTensorOperand(d, ops[0]) : !d.address(ops[0]))
    return false;
  return d.addressInto(ops[1], d.i.c) && (tensor || d.src(ops[2], Ty::B32));
}

/// The operation of a reduction and its type.
bool decodeReduction(Decoder &d) {
  const int op = d.takeOneOf(
      {"and", "or", "xor", "exch", "cas", "add", "inc", "dec", "min", "max"},
      -1);
  d.take("noftz");
  d.i.t = d.takeType();
  if (op < 0 || op == 3 || op == 4)
    return d.fail("expected a reduction such as .add");
  d.i.sub = uint8_t(op + 1);
  return true;
}

} // namespace

bool mxfp4::sim::decodeBulk(Decoder &d) {
  bool reduce = d.base() == "cp" ? d.take("reduce") : true;
  d.i.p = Pipe::Copy;
  d.take("async");
  d.take("bulk");
  if (d.take("commit_group")) {
    d.i.fn = bulk::commit;
    return d.expectOps(0, 0);
  }
  if (d.take("wait_group")) {
    d.i.mods = d.take("read") ? bulk::ReadOnlyWait : 0;
    d.i.fn = bulk::wait;
    return decodeGroupCount(d);
  }
  bool tensor = d.take("tensor");
  if (tensor) {
    d.i.mods |= bulk::TensorForm;
    int rank = d.takeOneOf({"1d", "2d", "3d", "4d", "5d"}, -1);
    if (rank < 0)
      return d.fail("expected a rank from .1d to .5d");
    d.i.b = uint32_t(rank) + 1;
    d.take("tile");
  }
  d.i.mods |= d.take("L2::cache_hint") ? bulk::HintFlag : 0;
  if (d.take("prefetch")) {
    d.take("L2");
    d.take("global");
    d.i.mods |= d.take("L2::cache_hint") ? bulk::HintFlag : 0;
    return decodeBulkPrefetch(d);
  }
  if (d.take("multicast::cluster"))
    d.i.mods |= bulk::Multicast;
  if (reduce && tensor)
    return d.fail("reductions through a tensor map are not supported");
  if (reduce && !decodeReduction(d))
    return false;
  bool completes = d.take("mbarrier::complete_tx::bytes");
  bool group = d.take("bulk_group");
  bool toCluster = d.take("shared::cluster");
  bool sharedCta = d.take("shared::cta");
  bool global = d.take("global");
  if (group && global && sharedCta)
    return decodeStore(d, tensor);
  if (!completes || reduce)
    return d.fail("this form of bulk copy is not supported");
  if (toCluster && sharedCta && !tensor)
    d.i.mods |= bulk::FromShared;
  else if (!global)
    return d.fail("this form of bulk copy is not supported");
  return decodeLoad(d, tensor);
}
