// The operations of warp-specialised kernels (barriers, copies by TMA, wgmma)
// survive printing and parsing, in their own syntax, in the generic one and as
// bytecode.
//
// RUN: mxfp4-opt %S/Inputs/hopper-ops-version-1.mlirbc | FileCheck %s
// RUN: mxfp4-opt %s | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --mlir-print-op-generic | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --emit-bytecode | mxfp4-opt | FileCheck %s

#shared = #gpu.address_space<workgroup>
!folded = !mxfp4.block<spread, folded>
!raw = !mxfp4.block<nibble, raw>
!barriers = memref<6xi64, #shared>

//===----------------------------------------------------------------------===//
// Tensor maps
//===----------------------------------------------------------------------===//

// The number of rows of the largest box, and what the others are multiples of.

// CHECK-LABEL: func private @maps
// CHECK-SAME:    !mxfp4.tensor_map<1>, !mxfp4.tensor_map<256 by 32>
func.func private @maps(!mxfp4.tensor_map<1>, !mxfp4.tensor_map<256 by 32>)

// CHECK-LABEL: func @make_tensor_map
func.func @make_tensor_map(%x: memref<?x2880xbf16>, %y: memref<7x32xbf16>)
    -> (!mxfp4.tensor_map<256 by 32>, !mxfp4.tensor_map<8>) {
  // CHECK: mxfp4.make_tensor_map %{{.*}} : memref<?x2880xbf16> -> <256 by 32>
  %m = mxfp4.make_tensor_map %x
      : memref<?x2880xbf16> -> !mxfp4.tensor_map<256 by 32>
  // CHECK: mxfp4.make_tensor_map %{{.*}} : memref<7x32xbf16> -> <8>
  %n = mxfp4.make_tensor_map %y : memref<7x32xbf16> -> !mxfp4.tensor_map<8>
  return %m, %n : !mxfp4.tensor_map<256 by 32>, !mxfp4.tensor_map<8>
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @barriers
// CHECK-SAME:    %[[FULL:.*]]: memref<6xi64, #gpu.address_space<workgroup>>, %[[SLOT:.*]]: index, %[[PARITY:.*]]: i32, %[[BYTES:.*]]: i32)
func.func @barriers(%full: !barriers, %slot: index, %parity: i32, %bytes: i32) {
  // CHECK-NEXT: mxfp4.init_barriers %[[FULL]] count 8 : memref<6xi64, #gpu.address_space<workgroup>>
  mxfp4.init_barriers %full count 8 : !barriers
  // CHECK-NEXT: mxfp4.wait_barrier %[[FULL]][%[[SLOT]]] parity %[[PARITY]] : memref<6xi64, #gpu.address_space<workgroup>>
  mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
  // CHECK-NEXT: mxfp4.arrive_barrier %[[FULL]][%[[SLOT]]] : memref<6xi64, #gpu.address_space<workgroup>>
  mxfp4.arrive_barrier %full[%slot] : !barriers
  // CHECK-NEXT: mxfp4.expect_bytes %[[FULL]][%[[SLOT]]] bytes(%[[BYTES]]) : memref<6xi64, #gpu.address_space<workgroup>>
  mxfp4.expect_bytes %full[%slot] bytes(%bytes) : !barriers
  return
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @copies
// CHECK-SAME:    %[[W:.*]]: memref<32x90x45x!mxfp4.block<spread, folded>>, %[[M:.*]]: !mxfp4.tensor_map<256 by 32>, %[[SW:.*]]: memref<6x2x{{.*}}>, %[[SX:.*]]: memref<6x256x64xbf16, {{.*}}>, %[[FULL:.*]]: memref<6xi64, {{.*}}>, %[[E:.*]]: index, %[[B:.*]]: index, %[[K:.*]]: index, %[[R:.*]]: index, %[[VALID:.*]]: index, %[[SLOT:.*]]: index)
func.func @copies(%w: memref<32x90x45x!folded>, %m: !mxfp4.tensor_map<256 by 32>,
    %sw: memref<6x2x!folded, #shared>, %sx: memref<6x256x64xbf16, #shared>,
    %full: !barriers, %expert: index, %block: index, %step: index, %row: index,
    %valid: index, %slot: index) {
  // CHECK-NEXT: mxfp4.bulk_copy_weights %[[W]][%[[E]], %[[B]], %[[K]]] to %[[SW]][%[[SLOT]]] signal %[[FULL]] : memref<32x90x45x!mxfp4.block<spread, folded>> to memref<6x2x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  mxfp4.bulk_copy_weights %w[%expert, %block, %step] to %sw[%slot] signal %full
      : memref<32x90x45x!folded> to memref<6x2x!folded, #shared>, !barriers
  // The second of three threads takes its part of the blocks; nobody else will
  // read them.
  // CHECK-NEXT: mxfp4.bulk_copy_weights %[[W]][%[[E]], %[[B]], %[[K]]] to %[[SW]][%[[SLOT]]] signal %[[FULL]] part %[[R]] of 3 once : memref<32x90x45x!mxfp4.block<spread, folded>> to
  mxfp4.bulk_copy_weights %w[%expert, %block, %step] to %sw[%slot] signal %full
      part %row of 3 once
      : memref<32x90x45x!folded> to memref<6x2x!folded, #shared>, !barriers
  // CHECK-NEXT: mxfp4.tensor_copy_activations %[[M]][%[[R]], %[[K]]] valid(%[[VALID]]) to %[[SX]][%[[SLOT]]] signal %[[FULL]] : <256 by 32> to memref<6x256x64xbf16, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  mxfp4.tensor_copy_activations %m[%row, %step] valid(%valid) to %sx[%slot]
      signal %full
      : !mxfp4.tensor_map<256 by 32> to memref<6x256x64xbf16, #shared>, !barriers
  return
}

// Any number of experts, any layout of blocks.

// CHECK-LABEL: func @copy_raw
func.func @copy_raw(%w: memref<?x1x2x!raw>, %sw: memref<6x1x!raw, #shared>,
                    %full: !barriers, %i: index) {
  // CHECK: mxfp4.bulk_copy_weights {{.*}} : memref<?x1x2x!mxfp4.block<nibble, raw>> to memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
  mxfp4.bulk_copy_weights %w[%i, %i, %i] to %sw[%i] signal %full
      : memref<?x1x2x!raw> to memref<6x1x!raw, #shared>, !barriers
  return
}

//===----------------------------------------------------------------------===//
// wgmma
//===----------------------------------------------------------------------===//

// The largest accumulator and the smallest. A from registers: four for each of
// the four k16 steps.

// CHECK-LABEL: func @wgmma
// CHECK-SAME:    %[[ACC:.*]]: vector<32x4xf32>, %[[SMALL:.*]]: vector<1x4xf32>, %[[A:.*]]: vector<2xbf16>, %[[B:.*]]: vector<2xbf16>, %[[X:.*]]: memref<6x256x64xbf16, {{.*}}>, %[[Y:.*]]: memref<6x8x64xbf16, {{.*}}>, %[[SLOT:.*]]: index)
func.func @wgmma(%acc: vector<32x4xf32>, %small: vector<1x4xf32>,
    %a: vector<2xbf16>, %b: vector<2xbf16>, %x: memref<6x256x64xbf16, #shared>,
    %y: memref<6x8x64xbf16, #shared>, %slot: index)
    -> (vector<32x4xf32>, vector<1x4xf32>) {
  // CHECK-NEXT: mxfp4.wgmma %[[ACC]] a(%[[A]], %[[B]], {{.*}}, %[[A]], %[[B]]) b(%[[X]][%[[SLOT]]]) columns 32 : vector<32x4xf32>, memref<6x256x64xbf16, #gpu.address_space<workgroup>>
  %r = mxfp4.wgmma %acc
      a(%a, %b, %a, %b, %a, %b, %a, %b, %a, %b, %a, %b, %a, %b, %a, %b)
      b(%x[%slot]) columns 32 : vector<32x4xf32>, memref<6x256x64xbf16, #shared>
  // CHECK-NEXT: mxfp4.wgmma %[[SMALL]] a(%[[A]], %[[B]], {{.*}}, %[[A]], %[[B]]) b(%[[Y]][%[[SLOT]]]) columns 1 : vector<1x4xf32>, memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  %s = mxfp4.wgmma %small
      a(%a, %b, %a, %b, %a, %b, %a, %b, %a, %b, %a, %b, %a, %b, %a, %b)
      b(%y[%slot]) columns 1 : vector<1x4xf32>, memref<6x8x64xbf16, #shared>
  return %r, %s : vector<32x4xf32>, vector<1x4xf32>
}

// A from a decoded tile: a block, or the one behind it. As few columns as hold a
// number of tokens that is known at run time.

// CHECK-LABEL: func @wgmma_shared
// CHECK-SAME:    %[[ACC:.*]]: vector<8x4xf32>, %[[TILE:.*]]: memref<128x64xbf16, {{.*}}>, %[[X:.*]]: memref<6x64x64xbf16, {{.*}}>, %[[BLOCK:.*]]: index, %[[N:.*]]: index)
func.func @wgmma_shared(%acc: vector<8x4xf32>,
    %tile: memref<128x64xbf16, #shared>, %x: memref<6x64x64xbf16, #shared>,
    %block: index, %n: index) -> vector<8x4xf32> {
  // CHECK-NEXT: mxfp4.sync_warpgroup{{$}}
  mxfp4.sync_warpgroup
  // CHECK-NEXT: %[[R:.*]] = mxfp4.wgmma %[[ACC]] shared_a(%[[TILE]][%[[BLOCK]]]) b(%[[X]][%[[N]]]) columns 8 : vector<8x4xf32>, memref<6x64x64xbf16, #gpu.address_space<workgroup>>, memref<128x64xbf16, #gpu.address_space<workgroup>>
  %r = mxfp4.wgmma %acc shared_a(%tile[%block]) b(%x[%n]) columns 8
      : vector<8x4xf32>, memref<6x64x64xbf16, #shared>,
        memref<128x64xbf16, #shared>
  // CHECK-NEXT: mxfp4.wgmma %[[R]] shared_a(%[[TILE]][%[[BLOCK]]]) buffer 1 b(%[[X]][%[[N]]]) columns 8 tokens(%[[N]] by 16) : vector<8x4xf32>,
  %s = mxfp4.wgmma %r shared_a(%tile[%block]) buffer 1 b(%x[%n]) columns 8
      tokens(%n by 16) : vector<8x4xf32>, memref<6x64x64xbf16, #shared>,
        memref<128x64xbf16, #shared>
  return %s : vector<8x4xf32>
}

// CHECK-LABEL: func @wgmma_wait
// CHECK-SAME:    %[[SUMS:.*]]: vector<2x32x4xf32>, %[[BLOCK:.*]]: vector<32x4xf32>)
func.func @wgmma_wait(%sums: vector<2x32x4xf32>, %block: vector<32x4xf32>)
    -> (vector<2x32x4xf32>, vector<32x4xf32>) {
  // CHECK-NEXT: mxfp4.wgmma_wait %[[SUMS]] : vector<2x32x4xf32>
  %r = mxfp4.wgmma_wait %sums : vector<2x32x4xf32>
  // CHECK-NEXT: mxfp4.wgmma_wait %[[BLOCK]] pending 7 : vector<32x4xf32>
  %s = mxfp4.wgmma_wait %block pending 7 : vector<32x4xf32>
  return %r, %s : vector<2x32x4xf32>, vector<32x4xf32>
}

// Fragments and accumulators; and what nobody uses stays, like the wait.

// CHECK-LABEL: func @pin
// CHECK-SAME:    %[[A:.*]]: vector<2xbf16>, %[[SUMS:.*]]: vector<2x32x4xf32>)
func.func @pin(%a: vector<2xbf16>, %sums: vector<2x32x4xf32>) {
  // CHECK-NEXT: mxfp4.pin %[[A]], %[[A]], %[[SUMS]] : vector<2xbf16>, vector<2xbf16>, vector<2x32x4xf32>
  %p:3 = mxfp4.pin %a, %a, %sums
      : vector<2xbf16>, vector<2xbf16>, vector<2x32x4xf32>
  return
}

//===----------------------------------------------------------------------===//
// K slices
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @reduce_slices
// CHECK-SAME:    %[[SUMS:.*]]: vector<2x8x4xf32>, %[[SLICE:.*]]: index, %[[BUFFER:.*]]: memref<64x128xf32, {{.*}}>)
func.func @reduce_slices(%sums: vector<2x8x4xf32>, %slice: index,
    %buffer: memref<64x128xf32, #shared>) -> vector<2x8x4xf32> {
  // CHECK-NEXT: mxfp4.reduce_slices %[[SUMS]] slice(%[[SLICE]] of 3) through %[[BUFFER]] : vector<2x8x4xf32>, memref<64x128xf32, #gpu.address_space<workgroup>>
  %r = mxfp4.reduce_slices %sums slice(%slice of 3) through %buffer
      : vector<2x8x4xf32>, memref<64x128xf32, #shared>
  return %r : vector<2x8x4xf32>
}

// CHECK-LABEL: func @reduce_some
// CHECK-SAME:    %[[SUMS:.*]]: vector<2x8x4xf32>, %[[SLICE:.*]]: index, %[[TOKENS:.*]]: index, %[[BUFFER:.*]]: memref<
func.func @reduce_some(%sums: vector<2x8x4xf32>, %slice: index, %tokens: index,
    %buffer: memref<64x128xf32, #shared>) -> vector<2x8x4xf32> {
  // CHECK-NEXT: mxfp4.reduce_slices %[[SUMS]] slice(%[[SLICE]] of 3) through %[[BUFFER]] tokens(%[[TOKENS]]) : vector<2x8x4xf32>, memref<
  %r = mxfp4.reduce_slices %sums slice(%slice of 3) through %buffer
      tokens(%tokens) : vector<2x8x4xf32>, memref<64x128xf32, #shared>
  return %r : vector<2x8x4xf32>
}
