// A kernel that tells short groups decides on the device which groups are short
// where these are few. Test of the tables of tiles.

// RUN: mxfp4-opt %s --mxfp4-lower-program --canonicalize --cse --split-input-file | FileCheck %s

#beside = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 80,
  warps_rows = 8, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  copy_warps = 1, producer_registers = 32, overlap_decode = true, token_step = 16,
  full_tiles_first = true, short_to = 32, short_stages = 4, beside_tokens = 80,
  beside_stages = 6>
#shared = #gpu.address_space<workgroup>

// Groups with up to 32 rows are counted in half of a word, and those with up to 48 in
// the other half; then the tiles of all with more than 32. Groups with up to 48 rows
// are short where 3 S > O, 20 S < 9 O and 5 (S + 2 M) <= 4 (O - M). Tiles of short
// groups have up to 32 tokens, the others' up to 80.

// CHECK-LABEL: func.func @short_groups
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : i32
// CHECK-DAG:     %[[C32:.*]] = arith.constant 32 : i32
// CHECK-DAG:     %[[C48:.*]] = arith.constant 48 : i32
// CHECK-DAG:     %[[C80:.*]] = arith.constant 80 : i32
// CHECK-DAG:     %[[BIT:.*]] = arith.constant 65536 : i32
// CHECK:         %[[ROWS:.*]] = arith.subi %{{.*}}, %{{.*}} : i32
// CHECK-NEXT:    %[[IS:.*]] = arith.cmpi ule, %[[ROWS]], %[[C32]] : i32
// CHECK-NEXT:    %[[MAY:.*]] = arith.cmpi ule, %[[ROWS]], %[[C48]] : i32
// CHECK-NEXT:    %[[ONE:.*]] = arith.minui %[[ROWS]], %{{.*}} : i32
// CHECK-NEXT:    %[[WHICH:.*]] = arith.select %[[IS]], %[[ONE]], %[[BIT]] : i32
// CHECK-NEXT:    arith.select %[[MAY]], %[[WHICH]], %[[C0]] : i32
// CHECK-NEXT:    %[[TALL:.*]] = arith.ceildivui %[[ROWS]], %[[C80]] : i32
// CHECK-NEXT:    arith.select %[[IS]], %[[C0]], %[[TALL]] : i32
// CHECK:         %[[BOTH:.*]], %{{.*}} = gpu.shuffle idx
// CHECK:         %[[OTHERS:.*]], %{{.*}} = gpu.shuffle idx
// CHECK-NEXT:    %[[FEW:.*]] = arith.andi %[[BOTH]], %
// CHECK-NEXT:    %[[MORE:.*]] = arith.shrui %[[BOTH]], %
// CHECK:         arith.cmpi ugt, %{{.*}}, %[[OTHERS]] : i32
// CHECK:         arith.cmpi ult
// CHECK:         %[[TWICE:.*]] = arith.muli %[[MORE]], %
// CHECK-NEXT:    arith.addi %[[FEW]], %[[TWICE]] : i32
// CHECK:         arith.subi %[[OTHERS]], %[[MORE]] : i32
// CHECK:         arith.cmpi ule
// CHECK:         %[[MOST:.*]] = arith.select %{{.*}}, %[[C48]], %[[C32]] : i32
// CHECK-NEXT:    %[[ISTALL:.*]] = arith.cmpi ugt, %[[ROWS]], %[[MOST]] : i32
// CHECK-NEXT:    arith.select %[[ISTALL]], %[[TALL]], %[[C0]] : i32
// CHECK:         %[[LOW:.*]] = arith.ceildivui %[[ROWS]], %[[C32]] : i32
// CHECK-NEXT:    %[[ISLOW:.*]] = arith.cmpi ule, %[[ROWS]], %[[MOST]] : i32
// CHECK-NEXT:    arith.select %[[ISLOW]], %[[LOW]], %[[C0]] : i32
func.func @short_groups(%t: memref<67xi32, #shared>, %o: memref<33xi32>, %n: i32) {
  mxfp4.build_tile_table %t offsets(%o) rows(%n) {schedule = #beside}
      : memref<67xi32, #shared>, memref<33xi32>
  return
}

// -----

#beside = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 80,
  warps_rows = 8, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  copy_warps = 1, producer_registers = 32, overlap_decode = true, token_step = 16,
  full_tiles_first = true, short_to = 32, short_stages = 4, beside_tokens = 80,
  beside_stages = 6>
#shared = #gpu.address_space<workgroup>

// Of few groups, those with up to 32 rows are short, and have one tile.

// CHECK-LABEL: func.func @few_groups
// CHECK:         %[[LIMIT:.*]] = arith.constant 32 : i32

// CHECK:         %[[ROWS:.*]] = arith.subi %{{.*}}, %{{.*}} : i32
// CHECK-NEXT:    %[[TILES:.*]] = arith.ceildivui %[[ROWS]], %
// CHECK-NEXT:    arith.cmpi ugt, %[[ROWS]], %[[LIMIT]] : i32
// CHECK:         %[[IS:.*]] = arith.cmpi ule, %[[ROWS]], %[[LIMIT]] : i32
// CHECK-NEXT:    arith.select %[[IS]], %[[TILES]], %
func.func @few_groups(%t: memref<65xi32, #shared>, %o: memref<32xi32>, %n: i32) {
  mxfp4.build_tile_table %t offsets(%o) rows(%n) {schedule = #beside}
      : memref<65xi32, #shared>, memref<32xi32>
  return
}
