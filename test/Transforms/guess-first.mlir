// A warp guesses where the first tile of its CTA is, from offsets that the kernel
// ahead may still write: whatever these are, the group exists.
//
// RUN: mxfp4-opt %s --mxfp4-lower-program --canonicalize --split-input-file | FileCheck %s

#few = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2>

// Lane i has the groups i and 32 + i of 40. A group ends where that of the next
// lane begins, and for the last lane where the next 32 do. The tile is one of the
// group whose tiles, behind those of all groups before, reach it.
// CHECK-LABEL: func.func @groups
// CHECK-SAME:    %[[O:[^:]*]]: memref<41xi32>, %[[NUMBER:[^:]*]]: index, %[[LANE:[^:]*]]: index
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C31:.*]] = arith.constant 31 : index
// CHECK-DAG:     %[[C32:.*]] = arith.constant 32 : index
// CHECK-DAG:     %[[C40:.*]] = arith.constant 40 : index
// CHECK-DAG:     %[[HEIGHT:.*]] = arith.constant 8 : i32
// CHECK:         %[[LAST:.*]] = arith.cmpi eq, %[[LANE]], %[[C31]]
// CHECK-NEXT:    %[[LATER:.*]] = arith.addi %[[LANE]], %[[C1]]
// CHECK-NEXT:    %[[NEXT:.*]] = arith.select %[[LAST]], %[[C0]], %[[LATER]]
// CHECK-NEXT:    %[[NEXT32:.*]] = arith.index_cast %[[NEXT]]
// CHECK-NEXT:    %[[AT0:.*]] = arith.minui %[[LANE]], %[[C40]]
// CHECK-NEXT:    %[[B0:.*]] = mxfp4.load_early %[[O]][%[[AT0]]]
// CHECK-NEXT:    %[[SECOND:.*]] = arith.addi %[[LANE]], %[[C32]]
// CHECK-NEXT:    %[[AT1:.*]] = arith.minui %[[SECOND]], %[[C40]]
// CHECK-NEXT:    %[[B1:.*]] = mxfp4.load_early %[[O]][%[[AT1]]]
// CHECK:         %[[B2:.*]] = mxfp4.load_early %[[O]]
// CHECK-NEXT:    %[[E0:.*]], %{{.*}} = gpu.shuffle idx %[[B0]], %[[NEXT32]]
// CHECK-NEXT:    %[[E1:.*]], %{{.*}} = gpu.shuffle idx %[[B1]], %[[NEXT32]]
// CHECK-NEXT:    %[[E2:.*]], %{{.*}} = gpu.shuffle idx %[[B2]], %[[NEXT32]]
// CHECK-NEXT:    %[[END0:.*]] = arith.select %[[LAST]], %[[E1]], %[[E0]]
// CHECK-NEXT:    %[[ROWS0:.*]] = arith.subi %[[END0]], %[[B0]]
// CHECK-NEXT:    %[[TILES0:.*]] = arith.ceildivui %[[ROWS0]], %[[HEIGHT]]
// CHECK-COUNT-5: gpu.shuffle up
// CHECK:         %[[BEFORE0:.*]] = arith.subi %{{.*}}, %[[TILES0]]
// CHECK-NEXT:    %[[ALL0:.*]], %{{.*}} = gpu.shuffle idx
// CHECK-NEXT:    %[[END1:.*]] = arith.select %[[LAST]], %[[E2]], %[[E1]]
// CHECK-NEXT:    %[[ROWS1:.*]] = arith.subi %[[END1]], %[[B1]]
// CHECK-NEXT:    %[[TILES1:.*]] = arith.ceildivui %[[ROWS1]], %[[HEIGHT]]
// CHECK-COUNT-5: gpu.shuffle up
// CHECK:         %[[OF_CHUNK:.*]] = arith.subi %{{.*}}, %[[TILES1]]
// CHECK-NEXT:    %[[BEFORE1:.*]] = arith.addi %[[ALL0]], %[[OF_CHUNK]]
// CHECK-NEXT:    %[[TILE:.*]] = arith.divui %[[NUMBER]], %[[C3]]
// CHECK-NEXT:    %[[COLUMN:.*]] = arith.remui %[[NUMBER]], %[[C3]]
// CHECK-NEXT:    %[[WANTED:.*]] = arith.index_cast %[[TILE]]
// CHECK-NEXT:    %[[WITHIN0:.*]] = arith.subi %[[WANTED]], %[[BEFORE0]]
// CHECK-NEXT:    %[[IS0:.*]] = arith.cmpi ult, %[[WITHIN0]], %[[TILES0]]
// CHECK-NEXT:    %[[WITHIN1:.*]] = arith.subi %[[WANTED]], %[[BEFORE1]]
// CHECK-NEXT:    %[[IS1:.*]] = arith.cmpi ult, %[[WITHIN1]], %[[TILES1]]
// CHECK-NEXT:    %[[EITHER:.*]] = arith.ori %[[IS0]], %[[IS1]]
// CHECK-NEXT:    %[[EXPERT:.*]] = arith.select %[[IS1]], %[[SECOND]], %[[LANE]]
// CHECK-NEXT:    %[[EXISTS:.*]] = arith.cmpi ult, %[[EXPERT]], %[[C40]]
// CHECK-NEXT:    %[[FOUND:.*]] = arith.andi %[[EITHER]], %[[EXISTS]]
// CHECK-NEXT:    return %[[FOUND]], %[[EXPERT]], %[[COLUMN]]
func.func @groups(%o: memref<41xi32>, %i: index, %lane: index)
    -> (i1, index, index) {
  %found, %expert, %column = mxfp4.guess_first %i lane %lane offsets(%o)
      columns 3 {schedule = #few} : memref<41xi32>
  return %found, %expert, %column : i1, index, index
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2, half_tiles = true>

// Tiles and halves of the tiles of all lanes, as many as they are.
// CHECK-LABEL: func.func @halves
// CHECK-SAME:    %{{[^:]*}}: memref<5xi32>, %[[NUMBER:[^:]*]]: index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[ALONE:.*]] = arith.constant 5 : index
// CHECK-COUNT-5: gpu.shuffle up
// CHECK:         %[[ALL:.*]], %{{.*}} = gpu.shuffle idx
// CHECK-NEXT:    %[[TILES:.*]] = arith.index_cast %[[ALL]]
// CHECK-NEXT:    gpu.grid_dim x
// CHECK-NEXT:    arith.muli %[[TILES]], %[[C3]]
// CHECK:         %[[IS_ALONE:.*]] = arith.cmpi uge, %[[NUMBER]],
// CHECK:         %[[COLUMN:.*]] = arith.select %[[IS_ALONE]], %[[ALONE]],
// CHECK:         return %{{.*}}, %{{.*}}, %[[COLUMN]]
func.func @halves(%o: memref<5xi32>, %i: index, %lane: index)
    -> (i1, index, index) {
  %found, %expert, %column = mxfp4.guess_first %i lane %lane offsets(%o)
      columns 3 {schedule = #few} : memref<5xi32>
  return %found, %expert, %column : i1, index, index
}
