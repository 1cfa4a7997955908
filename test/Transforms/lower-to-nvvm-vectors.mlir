// Vectors of f32 of the shape of accumulators are arrays of scalars, and their
// operations are done sum by sum. Other vectors are what upstream makes of them.
//
// RUN: mxfp4-opt %s --mxfp4-lower-to-nvvm | FileCheck %s

// CHECK-LABEL: llvm.func @of_accumulators
// CHECK-NOT:     vector<
// CHECK-COUNT-8: llvm.fmul %{{.*}}, %{{.*}} {fastmathFlags = #llvm.fastmath<nnan>} : f32
// CHECK-NOT:     llvm.fmul
// CHECK-COUNT-8: llvm.fneg %{{.*}} : f32
// CHECK-NOT:     llvm.fneg
// CHECK:         llvm.extractvalue %{{.*}}[1, 2] : !llvm.array<2 x array<4 x f32>>
// CHECK-LABEL: llvm.func @of_blocks
// CHECK-NOT:     vector<
// CHECK-COUNT-16: llvm.fsub %{{.*}} : f32
// CHECK-NEXT:    %[[ALL:.*]] = llvm.insertvalue %{{.*}}[1, 1, 3] : !llvm.array<2 x array<2 x array<4 x f32>>>
// CHECK-NEXT:    llvm.extractvalue %[[ALL]][1, 1, 2]
gpu.module @accumulators {
  gpu.func @of_accumulators(%a: vector<2x4xf32>, %b: vector<2x4xf32>,
                            %y: memref<1xf32>) kernel {
    %c0 = arith.constant 0 : index
    %product = arith.mulf %a, %b fastmath<nnan> : vector<2x4xf32>
    %negative = arith.negf %product : vector<2x4xf32>
    %one = vector.extract %negative[1, 2] : f32 from vector<2x4xf32>
    memref.store %one, %y[%c0] : memref<1xf32>
    gpu.return
  }

  gpu.func @of_blocks(%a: vector<2x2x4xf32>, %b: vector<2x2x4xf32>,
                      %y: memref<1xf32>) kernel {
    %c0 = arith.constant 0 : index
    %difference = arith.subf %a, %b : vector<2x2x4xf32>
    %one = vector.extract %difference[1, 1, 2] : f32 from vector<2x2x4xf32>
    memref.store %one, %y[%c0] : memref<1xf32>
    gpu.return
  }
}

// CHECK-LABEL: llvm.func @of_four_dimensions
// CHECK-COUNT-8: llvm.fadd %{{.*}} : vector<4xf32>
// CHECK-NOT:     llvm.fadd
// CHECK-LABEL: llvm.func @of_threes
// CHECK-COUNT-2: llvm.fadd %{{.*}} : vector<3xf32>
// CHECK-NOT:     llvm.fadd
// CHECK-LABEL: llvm.func @of_halves
// CHECK-COUNT-2: llvm.fadd %{{.*}} : vector<4xbf16>
gpu.module @others {
  gpu.func @of_four_dimensions(%a: vector<2x2x2x4xf32>,
                               %y: memref<1xf32>) kernel {
    %c0 = arith.constant 0 : index
    %sum = arith.addf %a, %a : vector<2x2x2x4xf32>
    %one = vector.extract %sum[1, 1, 1, 3] : f32 from vector<2x2x2x4xf32>
    memref.store %one, %y[%c0] : memref<1xf32>
    gpu.return
  }

  gpu.func @of_threes(%a: vector<2x3xf32>, %y: memref<1xf32>) kernel {
    %c0 = arith.constant 0 : index
    %sum = arith.addf %a, %a : vector<2x3xf32>
    %one = vector.extract %sum[1, 2] : f32 from vector<2x3xf32>
    memref.store %one, %y[%c0] : memref<1xf32>
    gpu.return
  }

  gpu.func @of_halves(%a: vector<2x4xbf16>, %y: memref<1xbf16>) kernel {
    %c0 = arith.constant 0 : index
    %sum = arith.addf %a, %a : vector<2x4xbf16>
    %one = vector.extract %sum[1, 2] : bf16 from vector<2x4xbf16>
    memref.store %one, %y[%c0] : memref<1xbf16>
    gpu.return
  }
}
