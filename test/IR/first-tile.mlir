// The operations that hand out and guess the first tile of a CTA: text and
// bytecode.
//
// RUN: mxfp4-opt %s | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --emit-bytecode | mxfp4-opt | FileCheck %s

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>

// CHECK-LABEL: func @first
func.func @first(%t: memref<6xi32, #shared>, %o: memref<5xi32>, %i: index,
                 %rows: i32, %q: !mxfp4.ring<2>, %f: memref<2x4xi32, #shared>) {
  mxfp4.build_tile_table %t offsets(%o) rows(%rows) {schedule = #few}
      : memref<6xi32, #shared>, memref<5xi32>
  // CHECK: mxfp4.hand_out_first %{{.*}} in %{{.*}} offsets(%{{.*}}) columns 3 to %{{.*}}[%{{.*}}] {schedule = #{{.*}}} : memref<6xi32, #gpu.address_space<workgroup>>, memref<5xi32>, <2>, memref<2x4xi32, #gpu.address_space<workgroup>>
  mxfp4.hand_out_first %i in %t offsets(%o) columns 3 to %q[%f]
      {schedule = #few} : memref<6xi32, #shared>, memref<5xi32>,
      !mxfp4.ring<2>, memref<2x4xi32, #shared>
  return
}

// CHECK-LABEL: func @guess
func.func @guess(%o: memref<5xi32>, %i: index, %lane: index) -> i32 {
  // CHECK: mxfp4.guess_first %{{.*}} lane %{{.*}} offsets(%{{.*}}) columns 3 {schedule = #{{.*}}} : memref<5xi32>
  %found, %expert, %column = mxfp4.guess_first %i lane %lane offsets(%o)
      columns 3 {schedule = #few} : memref<5xi32>
  // CHECK: mxfp4.load_early %{{.*}}[%{{.*}}] : memref<5xi32>
  %v = mxfp4.load_early %o[%expert] : memref<5xi32>
  return %v : i32
}
