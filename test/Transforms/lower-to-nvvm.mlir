// Kernels of tiles and fragments to instructions: each kernel below shows one.
//
// RUN: mxfp4-opt %s --pass-pipeline='builtin.module(gpu.module(mxfp4-lower-to-nvvm,canonicalize,cse))' | FileCheck %s

!smem = memref<?xi8, #gpu.address_space<workgroup>>
!w = memref<3x2x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!tile = memref<64x64xbf16, #gpu.address_space<workgroup>>
#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>

// CHECK: gpu.module @kernels
gpu.module @kernels {

  // Memrefs are bare pointers, global ones in address space 1, and buffers do
  // not overlap. Dynamic shared memory is one external variable; a workgroup
  // attribution becomes a variable of its kernel.

  // CHECK-DAG: llvm.mlir.global external @kernels_shared() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
  // CHECK-DAG: llvm.mlir.global internal @decoded_tile0() {addr_space = 3 : i32, alignment = {{[0-9]+}} : i64} : !llvm.array<8192 x i8>

  // CHECK-LABEL: llvm.func @memory
  // CHECK-SAME:    (%[[A:.*]]: !llvm.ptr<1> {llvm.noalias}, %[[ERROR:.*]]: !llvm.ptr<1> {llvm.noalias}, %[[I:.*]]: i32)
  // CHECK-SAME:    attributes {gpu.kernel, nvvm.kernel, nvvm.minctasm = 2 : i32, nvvm.reqntid = array<i32: 128, 1, 1>}
  // CHECK:         %[[SHARED:.*]] = llvm.mlir.addressof @kernels_shared : !llvm.ptr<3>
  // CHECK:         %[[TABLE:.*]] = llvm.getelementptr %[[SHARED]][64] : {{.*}}, i8
  // CHECK:         %[[FROM:.*]] = llvm.getelementptr %[[A]][%{{.*}}] : {{.*}}, i32
  // CHECK:         %[[V:.*]] = llvm.load %[[FROM]] : !llvm.ptr<1> -> i32
  // CHECK:         %[[TO:.*]] = llvm.getelementptr %[[TABLE]][%{{.*}}] : {{.*}}, i32
  // CHECK:         llvm.store %[[V]], %[[TO]] : i32, !llvm.ptr<3>
  // CHECK:         llvm.atomicrmw _or %[[ERROR]], %{{.*}} monotonic
  // CHECK:         llvm.return
  gpu.func @memory(%a: memref<?xi32>, %error: memref<1xi32>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>,
                  nvvm.minctasm = 2 : i32} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %bit = arith.constant 1 : i32
    %all = gpu.dynamic_shared_memory : !smem
    %table = memref.view %all[%c64][] : !smem to memref<8xi32, #gpu.address_space<workgroup>>
    %at = arith.index_cast %i : i32 to index
    %v = memref.load %a[%at] : memref<?xi32>
    memref.store %v, %table[%at] : memref<8xi32, #gpu.address_space<workgroup>>
    %old = memref.atomic_rmw ori %bit, %error[%c0] : (i32, memref<1xi32>) -> i32
    gpu.return
  }

  // Two blocks are 272 units of 16 bytes: 128 threads copy two each, the first
  // 16 a third. Three row blocks do not fill tiles of two, so that a block past
  // the end is filled with zeros: a copy of no bytes.

  // CHECK-LABEL: llvm.func @copy_weights
  // CHECK-DAG:     %[[UNITS:.*]] = llvm.mlir.constant(272 : i32) : i32
  // CHECK-DAG:     %[[ROW_BLOCKS:.*]] = llvm.mlir.constant(3 : i64) : i64
  // CHECK-DAG:     %[[FULL:.*]] = llvm.mlir.constant(16 : i32) : i32
  // CHECK-DAG:     %[[NONE:.*]] = llvm.mlir.constant(0 : i32) : i32
  // CHECK:         %[[EXISTS:.*]] = llvm.icmp "ult" %{{.*}}, %[[ROW_BLOCKS]]
  // CHECK:         %[[SIZE:.*]] = llvm.select %[[EXISTS]], %[[FULL]], %[[NONE]]
  // CHECK:         nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg, %[[SIZE]]
  // CHECK:         nvvm.cp.async.shared.global
  // CHECK:         %[[THIRD:.*]] = llvm.icmp "ult" %{{.*}}, %[[UNITS]] : i32
  // CHECK:         llvm.cond_br %[[THIRD]], ^[[THEN:.*]], ^
  // CHECK:       ^[[THEN]]:
  // CHECK:         nvvm.cp.async.shared.global
  // CHECK-NOT:     nvvm.cp.async.shared.global
  // CHECK:         llvm.return
  gpu.func @copy_weights(%w: memref<4x3x2x!mxfp4.block<spread, folded>>,
                         %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %all = gpu.dynamic_shared_memory : !smem
    %sw = memref.view %all[%c0][] : !smem to !w
    %e = arith.index_cast %i : i32 to index
    mxfp4.copy_weights %w[%e, %c2, %c1] to %sw[%c2]
        : memref<4x3x2x!mxfp4.block<spread, folded>> to !w
    gpu.return
  }

  // 16 rows of eight units: one unit a thread. Rows past the valid ones are
  // zeros, and so are columns past K, here 96 and no multiple of 64. The unit
  // is XORed with the row modulo 8.

  // CHECK-LABEL: llvm.func @copy_activations
  // CHECK-DAG:     %[[K:.*]] = llvm.mlir.constant(96 : i64) : i64
  // CHECK-DAG:     %[[SEVEN:.*]] = llvm.mlir.constant(7 : i32) : i32
  // CHECK-DAG:     %[[EIGHT:.*]] = llvm.mlir.constant(8 : i32) : i32
  // CHECK:         %[[T:.*]] = nvvm.read.ptx.sreg.tid.x
  // CHECK:         %[[ROW:.*]] = llvm.udiv %[[T]], %[[EIGHT]]
  // CHECK:         %[[UNIT:.*]] = llvm.urem %[[T]], %[[EIGHT]]
  // CHECK:         %[[ROW_EXISTS:.*]] = llvm.icmp "ult"
  // CHECK:         %[[COLUMN_EXISTS:.*]] = llvm.icmp "ult" %{{.*}}, %[[K]]
  // CHECK:         %[[EXISTS:.*]] = llvm.and %[[ROW_EXISTS]], %[[COLUMN_EXISTS]]
  // CHECK:         %[[SIZE:.*]] = llvm.select %[[EXISTS]]
  // CHECK:         %[[ROW7:.*]] = llvm.and %[[ROW]], %[[SEVEN]]
  // CHECK:         llvm.xor %[[UNIT]], %[[ROW7]]
  // CHECK:         nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg, %[[SIZE]]
  // CHECK-NOT:     nvvm.cp.async.shared.global
  // CHECK:         llvm.return
  gpu.func @copy_activations(%x: memref<?x96xbf16>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %all = gpu.dynamic_shared_memory : !smem
    %sx = memref.view %all[%c0][] : !smem to !x
    %row = arith.index_cast %i : i32 to index
    mxfp4.copy_activations %x[%row, %c1] valid(%row) to %sx[%c1]
        : memref<?x96xbf16> to !x
    gpu.return
  }

  // A thread's codes are one load of 16 bytes, its scales one of four;
  // activations come by ldmatrix; the product is the tensor core's.

  // CHECK-LABEL: llvm.func @fragments
  // CHECK:         %[[CODES:.*]] = llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xi32>
  // CHECK:         llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<3> -> i32
  // CHECK:         %[[B:.*]] = nvvm.ldmatrix %{{.*}} {eltType = #nvvm.ld_st_matrix_elt_type<b16>, layout = #nvvm.mma_layout<row>, num = 4 : i32,
  // CHECK:         %[[B0:.*]] = llvm.extractvalue %[[B]][0]
  // CHECK:         %[[B1:.*]] = llvm.extractvalue %[[B]][1]
  // CHECK:         %[[D:.*]] = nvvm.mma.sync A[%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}] B[%[[B0]], %[[B1]]] C[%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}]
  // CHECK-SAME:      multiplicandAPtxType = #nvvm.mma_type<bf16>
  // CHECK-SAME:      shape = #nvvm.shape<m = 16, n = 8, k = 16>
  // CHECK:         llvm.extractvalue %[[D]][0]
  gpu.func @fragments(%y: memref<1xvector<4xf32>>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %all = gpu.dynamic_shared_memory : !smem
    %sx = memref.view %all[%c0][] : !smem to !x
    %sw = memref.view %all[%c0][] : !smem to !w
    %at = arith.index_cast %i : i32 to index
    %c:4 = mxfp4.load_codes %sw[%at, %at] : !w
    %s = mxfp4.load_scales %sw[%at, %at] : !w
    %a0 = llvm.bitcast %c#0 : i32 to vector<2xbf16>
    %a1 = llvm.bitcast %c#1 : i32 to vector<2xbf16>
    %a2 = llvm.bitcast %c#2 : i32 to vector<2xbf16>
    %a3 = llvm.bitcast %s : i32 to vector<2xbf16>
    %b:4 = mxfp4.load_activations %sx[%at, %at] slice 1 : !x
    %acc = memref.load %y[%c0] : memref<1xvector<4xf32>>
    %d = mxfp4.mma a(%a0, %a1, %a2, %a3) b(%b#0, %b#1) c(%acc)
    memref.store %d, %y[%c0] : memref<1xvector<4xf32>>
    gpu.return
  }

  // The baseline's tile: stmatrix in, ldmatrix out.

  // CHECK-LABEL: llvm.func @decoded
  // CHECK:         %[[TILE:.*]] = llvm.mlir.addressof @decoded_tile0 : !llvm.ptr<3>
  // CHECK:         %[[A:.*]] = nvvm.ldmatrix %{{.*}} {eltType = {{.*}} num = 4
  // CHECK:         nvvm.stmatrix %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {eltType
  gpu.func @decoded(%i: i32) workgroup(%tile: !tile) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %slice = arith.index_cast %i : i32 to index
    %a:4 = mxfp4.load_decoded %tile[%slice] step 1 : !tile
    mxfp4.store_decoded %a#0, %a#1, %a#2, %a#3 to %tile[%slice] step 2 : !tile
    gpu.return
  }

  // An even N: rows 2g and 2g + 1 of the weights sit in one thread and are
  // stored as a pair, rounded together.

  // CHECK-LABEL: llvm.func @store_even
  // CHECK:         %[[PAIR:.*]] = llvm.fptrunc %{{.*}} : vector<2xf32> to vector<2xbf16>
  // CHECK:         llvm.store %[[PAIR]], %{{.*}} {alignment = 4 : i64}
  gpu.func @store_even(%y: memref<?x100xbf16>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %acc = arith.constant dense<1.5> : vector<1x1x4xf32>
    %at = arith.index_cast %i : i32 to index
    mxfp4.store_tile %acc to %y[%at, %at] valid(%at) {schedule = #schedule}
        : vector<1x1x4xf32> to memref<?x100xbf16>
    gpu.return
  }

  // An odd N: one element at a time, the second if it exists. f32 is stored as
  // it is.

  // CHECK-LABEL: llvm.func @store_odd
  // CHECK:         %[[N:.*]] = llvm.mlir.constant(101 : i64) : i64
  // CHECK-NOT:     llvm.fptrunc
  // CHECK:         llvm.store %{{.*}}, %{{.*}} {alignment = 4 : i64} : f32, !llvm.ptr<1>
  // CHECK:         %[[SECOND:.*]] = llvm.icmp "ult" %{{.*}}, %[[N]]
  // CHECK:         llvm.cond_br %[[SECOND]]
  // CHECK:         llvm.store %{{.*}}, %{{.*}} {alignment = 4 : i64} : f32, !llvm.ptr<1>
  gpu.func @store_odd(%y: memref<?x101xf32>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %acc = arith.constant dense<1.5> : vector<1x1x4xf32>
    %at = arith.index_cast %i : i32 to index
    mxfp4.store_tile %acc to %y[%at, %at] valid(%at) {schedule = #schedule}
        : vector<1x1x4xf32> to memref<?x101xf32>
    gpu.return
  }

  // Control flow becomes branches; accumulators of rank 3 come apart.

  // CHECK-LABEL: llvm.func @loop
  // CHECK-NOT:     scf
  // CHECK:         llvm.br
  // CHECK:         nvvm.barrier
  // CHECK-NOT:     vector<2x1x4xf32>
  // CHECK:         llvm.return
  gpu.func @loop(%y: memref<4xf32>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : vector<2x1x4xf32>
    %n = arith.index_cast %i : i32 to index
    %r = scf.for %k = %c0 to %n step %c1 iter_args(%acc = %zero)
        -> (vector<2x1x4xf32>) {
      gpu.barrier
      %part = vector.extract %acc[1, 0] : vector<4xf32> from vector<2x1x4xf32>
      %next = vector.insert %part, %acc[0, 0] : vector<4xf32> into vector<2x1x4xf32>
      scf.yield %next : vector<2x1x4xf32>
    }
    %e = vector.extract %r[0, 0, 3] : f32 from vector<2x1x4xf32>
    memref.store %e, %y[%c0] : memref<4xf32>
    gpu.return
  }
}
