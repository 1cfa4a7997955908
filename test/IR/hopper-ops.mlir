// The operations of warp-specialised kernels (barriers, copies by the copy
// engine, wgmma) survive printing and parsing, in their own syntax, in the
// generic one and as bytecode.
//
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

// The number of rows of the box is all that the type says.

// CHECK-LABEL: func private @maps
// CHECK-SAME:    !mxfp4.tensor_map<1>, !mxfp4.tensor_map<256>
func.func private @maps(!mxfp4.tensor_map<1>, !mxfp4.tensor_map<256>)

// CHECK-LABEL: func @make_tensor_map
func.func @make_tensor_map(%x: memref<?x2880xbf16>, %y: memref<7x32xbf16>)
    -> (!mxfp4.tensor_map<256>, !mxfp4.tensor_map<8>) {
  // CHECK: mxfp4.make_tensor_map %{{.*}} : memref<?x2880xbf16> -> <256>
  %m = mxfp4.make_tensor_map %x : memref<?x2880xbf16> -> !mxfp4.tensor_map<256>
  // CHECK: mxfp4.make_tensor_map %{{.*}} : memref<7x32xbf16> -> <8>
  %n = mxfp4.make_tensor_map %y : memref<7x32xbf16> -> !mxfp4.tensor_map<8>
  return %m, %n : !mxfp4.tensor_map<256>, !mxfp4.tensor_map<8>
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @barriers
// CHECK-SAME:    %[[FULL:.*]]: memref<6xi64, #gpu.address_space<workgroup>>, %[[SLOT:.*]]: index, %[[PARITY:.*]]: i32)
func.func @barriers(%full: !barriers, %slot: index, %parity: i32) {
  // CHECK-NEXT: mxfp4.init_barriers %[[FULL]] count 8 : memref<6xi64, #gpu.address_space<workgroup>>
  mxfp4.init_barriers %full count 8 : !barriers
  // CHECK-NEXT: mxfp4.wait_barrier %[[FULL]][%[[SLOT]]] parity %[[PARITY]] : memref<6xi64, #gpu.address_space<workgroup>>
  mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
  // CHECK-NEXT: mxfp4.arrive_barrier %[[FULL]][%[[SLOT]]] : memref<6xi64, #gpu.address_space<workgroup>>
  mxfp4.arrive_barrier %full[%slot] : !barriers
  // The most and the fewest bytes.
  // CHECK-NEXT: mxfp4.expect_bytes %[[FULL]][%[[SLOT]]] bytes 1048575 : memref<6xi64, #gpu.address_space<workgroup>>
  mxfp4.expect_bytes %full[%slot] bytes 1048575 : !barriers
  // CHECK-NEXT: mxfp4.expect_bytes %[[FULL]][%[[SLOT]]] bytes 1 :
  mxfp4.expect_bytes %full[%slot] bytes 1 : !barriers
  return
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @copies
// CHECK-SAME:    %[[W:.*]]: memref<32x90x45x!mxfp4.block<spread, folded>>, %[[M:.*]]: !mxfp4.tensor_map<256>, %[[SW:.*]]: memref<6x2x{{.*}}>, %[[SX:.*]]: memref<6x256x64xbf16, {{.*}}>, %[[FULL:.*]]: memref<6xi64, {{.*}}>, %[[E:.*]]: index, %[[B:.*]]: index, %[[K:.*]]: index, %[[R:.*]]: index, %[[SLOT:.*]]: index)
func.func @copies(%w: memref<32x90x45x!folded>, %m: !mxfp4.tensor_map<256>,
    %sw: memref<6x2x!folded, #shared>, %sx: memref<6x256x64xbf16, #shared>,
    %full: !barriers, %expert: index, %block: index, %step: index, %row: index,
    %slot: index) {
  // CHECK-NEXT: mxfp4.bulk_copy_weights %[[W]][%[[E]], %[[B]], %[[K]]] to %[[SW]][%[[SLOT]]] signal %[[FULL]] : memref<32x90x45x!mxfp4.block<spread, folded>> to memref<6x2x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  mxfp4.bulk_copy_weights %w[%expert, %block, %step] to %sw[%slot] signal %full
      : memref<32x90x45x!folded> to memref<6x2x!folded, #shared>, !barriers
  // CHECK-NEXT: mxfp4.tensor_copy_activations %[[M]][%[[R]], %[[K]]] to %[[SX]][%[[SLOT]]] signal %[[FULL]] : <256> to memref<6x256x64xbf16, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  mxfp4.tensor_copy_activations %m[%row, %step] to %sx[%slot] signal %full
      : !mxfp4.tensor_map<256> to memref<6x256x64xbf16, #shared>, !barriers
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

// The largest accumulator and the smallest; the first step and the last.

// CHECK-LABEL: func @wgmma
// CHECK-SAME:    %[[ACC:.*]]: vector<32x4xf32>, %[[SMALL:.*]]: vector<1x4xf32>, %[[A0:.*]]: vector<2xbf16>, %[[A1:.*]]: vector<2xbf16>, %[[A2:.*]]: vector<2xbf16>, %[[A3:.*]]: vector<2xbf16>, %[[X:.*]]: memref<6x256x64xbf16, {{.*}}>, %[[Y:.*]]: memref<6x8x64xbf16, {{.*}}>, %[[SLOT:.*]]: index)
func.func @wgmma(%acc: vector<32x4xf32>, %small: vector<1x4xf32>,
    %a0: vector<2xbf16>, %a1: vector<2xbf16>, %a2: vector<2xbf16>,
    %a3: vector<2xbf16>, %x: memref<6x256x64xbf16, #shared>,
    %y: memref<6x8x64xbf16, #shared>, %slot: index)
    -> (vector<32x4xf32>, vector<1x4xf32>) {
  // CHECK-NEXT: mxfp4.wgmma %[[ACC]] a(%[[A0]], %[[A1]], %[[A2]], %[[A3]]) b(%[[X]][%[[SLOT]]]) step 0 : vector<32x4xf32>, memref<6x256x64xbf16, #gpu.address_space<workgroup>>
  %r = mxfp4.wgmma %acc a(%a0, %a1, %a2, %a3) b(%x[%slot]) step 0
      : vector<32x4xf32>, memref<6x256x64xbf16, #shared>
  // CHECK-NEXT: mxfp4.wgmma %[[SMALL]] a(%[[A0]], %[[A1]], %[[A2]], %[[A3]]) b(%[[Y]][%[[SLOT]]]) step 3 : vector<1x4xf32>, memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  %s = mxfp4.wgmma %small a(%a0, %a1, %a2, %a3) b(%y[%slot]) step 3
      : vector<1x4xf32>, memref<6x8x64xbf16, #shared>
  return %r, %s : vector<32x4xf32>, vector<1x4xf32>
}

// CHECK-LABEL: func @wgmma_wait
func.func @wgmma_wait(%sums: vector<2x32x4xf32>) -> vector<2x32x4xf32> {
  // CHECK: mxfp4.wgmma_wait %{{.*}} : vector<2x32x4xf32>
  %r = mxfp4.wgmma_wait %sums : vector<2x32x4xf32>
  return %r : vector<2x32x4xf32>
}
