// The host encodes a tensor map through a function of the program's, into memory
// of the entry block, and passes it by value.
//
// RUN: mxfp4-opt %s --gpu-to-llvm=use-bare-pointers-for-kernels --convert-to-llvm \
// RUN:     --reconcile-unrealized-casts \
// RUN:   | FileCheck %s

// CHECK: llvm.func @mxfp4_encode_tensor_map(!llvm.ptr, !llvm.ptr, i64, i64, i64)
// CHECK-LABEL: llvm.func @launch
// CHECK:       %[[MAP:.*]] = llvm.alloca %{{.*}} x !llvm.array<16 x i64> {alignment = 64 : i64}
// CHECK:       llvm.br
// CHECK:       %[[X:.*]] = llvm.extractvalue %[[D:.*]][1]
// CHECK:       %[[PLACE:.*]] = llvm.getelementptr %[[MAP]][0]
// CHECK:       %[[BOX:.*]] = llvm.mlir.constant(256 : i64)
// CHECK:       %[[ROWS:.*]] = llvm.extractvalue %[[D]][3, 0]
// CHECK:       %[[COLUMNS:.*]] = llvm.extractvalue %[[D]][3, 1]
// CHECK:       llvm.call @mxfp4_encode_tensor_map(%[[PLACE]], %[[X]], %[[ROWS]], %[[COLUMNS]], %[[BOX]])
// CHECK-NOT:   llvm.call
// CHECK:       %[[VALUE:.*]] = llvm.load %[[MAP]]
// CHECK:       gpu.launch_func @kernels::@kernel {{.*}} args(%[[VALUE]] : !llvm.array<16 x i64>)

// Maps for boxes of 32, 64 and 96 rows lie one behind the other, 128 bytes each,
// and go to the kernel as one argument.

// CHECK-LABEL: llvm.func @launch_with_steps
// CHECK:       %[[MAPS:.*]] = llvm.alloca %{{.*}} x !llvm.array<48 x i64> {alignment = 64 : i64}
// CHECK:       %[[FIRST:.*]] = llvm.getelementptr %[[MAPS]][0] : {{.*}}, i64
// CHECK:       %[[BOX:.*]] = llvm.mlir.constant(32 : i64)
// CHECK:       llvm.call @mxfp4_encode_tensor_map(%[[FIRST]], %{{.*}}, %{{.*}}, %{{.*}}, %[[BOX]])
// CHECK:       %[[SECOND:.*]] = llvm.getelementptr %[[MAPS]][16] : {{.*}}, i64
// CHECK:       %[[BOX:.*]] = llvm.mlir.constant(64 : i64)
// CHECK:       llvm.call @mxfp4_encode_tensor_map(%[[SECOND]], %{{.*}}, %{{.*}}, %{{.*}}, %[[BOX]])
// CHECK:       %[[THIRD:.*]] = llvm.getelementptr %[[MAPS]][32] : {{.*}}, i64
// CHECK:       %[[BOX:.*]] = llvm.mlir.constant(96 : i64)
// CHECK:       llvm.call @mxfp4_encode_tensor_map(%[[THIRD]], %{{.*}}, %{{.*}}, %{{.*}}, %[[BOX]])
// CHECK-NOT:   llvm.call
// CHECK:       %[[VALUE:.*]] = llvm.load %[[MAPS]]
// CHECK:       gpu.launch_func @kernels::@kernel {{.*}} args(%[[VALUE]] : !llvm.array<48 x i64>)
module attributes {gpu.container_module} {
  gpu.binary @kernels [#gpu.object<#nvvm.target<chip = "sm_90a">, assembly = "">]
  func.func @launch(%x: memref<?x2880xbf16>, %n: index) {
    %c1 = arith.constant 1 : index
    cf.br ^again
  ^again:
    %m = mxfp4.make_tensor_map %x : memref<?x2880xbf16> -> !mxfp4.tensor_map<256>
    gpu.launch_func @kernels::@kernel blocks in (%n, %c1, %c1)
        threads in (%n, %c1, %c1) args(%m : !mxfp4.tensor_map<256>)
    return
  }
  func.func @launch_with_steps(%x: memref<?x2880xbf16>, %n: index) {
    %c1 = arith.constant 1 : index
    %m = mxfp4.make_tensor_map %x
        : memref<?x2880xbf16> -> !mxfp4.tensor_map<96 by 32>
    gpu.launch_func @kernels::@kernel blocks in (%n, %c1, %c1)
        threads in (%n, %c1, %c1) args(%m : !mxfp4.tensor_map<96 by 32>)
    return
  }
}
