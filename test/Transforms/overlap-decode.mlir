// While the tensor core multiplies one step, the warps decode the fragments of
// the next. The loop over K becomes: decode step 0; then for each step start its
// batch of wgmma, find the next slot, wait for it, load and decode it, and only
// then wait for the batch and give its slot back. The loop is unrolled by two;
// the fragments that are ready are carried from one iteration to the next.
//
// RUN: mxfp4-opt %s --mxfp4-insert-decode --mxfp4-overlap-decode --canonicalize --cse --split-input-file \
// RUN:   | FileCheck %s --implicit-check-not=mxfp4.decode --implicit-check-not=mxfp4.load_codes --implicit-check-not="mxfp4.wgmma " --implicit-check-not=mxfp4.overlap
//
// Every decode, load and wgmma that comes out is named below, and none but those:
// nothing is lost, and nothing is done twice.

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// K = 320, five steps. Ahead of the loop the first step is decoded; two rounds of
// the loop start two batches each and decode two steps each; the last batch has
// nothing to decode behind it. 1 + 2 * 2 steps decoded, 2 * 2 + 1 multiplied.

// CHECK-LABEL: func @five_steps(
// CHECK-SAME:    %[[FULL:[^:]*]]: memref<3xi64, {{.*}}>, %[[EMPTY:[^:]*]]: memref<3xi64, {{.*}}>, %[[W:[^:]*]]: memref<3x1x{{.*}}>, %[[X:[^:]*]]: memref<3x16x64xbf16, {{.*}}>, %[[SLOT:[^:]*]]: index, %[[PARITY:[^:]*]]: i32, %[[ACC:[^:]*]]: vector<1x2x4xf32>)
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK:         mxfp4.wait_barrier %[[FULL]][%[[SLOT]]] parity %[[PARITY]]
// CHECK:         %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT]],
// CHECK-NEXT:    %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT]],
// CHECK-NEXT:    %[[A00:.*]], %[[A01:.*]], %[[A02:.*]], %[[A03:.*]] = mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:    %[[A10:.*]], %[[A11:.*]], %[[A12:.*]], %[[A13:.*]] = mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:    %[[A20:.*]], %[[A21:.*]], %[[A22:.*]], %[[A23:.*]] = mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:    %[[A30:.*]], %[[A31:.*]], %[[A32:.*]], %[[A33:.*]] = mxfp4.decode %[[P3]], %[[S]] step 3
// CHECK-NEXT:    %[[R:.*]]:19 = scf.for %{{.*}} = %[[C0]] to %[[C2]] step %[[C1]] iter_args(%[[LACC:.*]] = %[[ACC]], %[[LSLOT:.*]] = %[[SLOT]], %[[LPARITY:.*]] = %[[PARITY]], %[[H00:.*]] = %[[A00]], %[[H01:.*]] = %[[A01]], %[[H02:.*]] = %[[A02]], %[[H03:.*]] = %[[A03]], %[[H10:.*]] = %[[A10]], %[[H11:.*]] = %[[A11]], %[[H12:.*]] = %[[A12]], %[[H13:.*]] = %[[A13]], %[[H20:.*]] = %[[A20]], %[[H21:.*]] = %[[A21]], %[[H22:.*]] = %[[A22]], %[[H23:.*]] = %[[A23]], %[[H30:.*]] = %[[A30]], %[[H31:.*]] = %[[A31]], %[[H32:.*]] = %[[A32]], %[[H33:.*]] = %[[A33]])
// The first of the two steps multiplies the fragments that came in.
// CHECK-NEXT:      nvvm.wgmma.fence.aligned
// CHECK-NEXT:      %[[M:.*]] = vector.extract %[[LACC]][0]
// CHECK-NEXT:      %[[M0:.*]] = mxfp4.wgmma %[[M]] a(%[[H00]], %[[H01]], %[[H02]], %[[H03]]) b(%[[X]][%[[LSLOT]]]) step 0
// CHECK-NEXT:      %[[M1:.*]] = mxfp4.wgmma %[[M0]] a(%[[H10]], %[[H11]], %[[H12]], %[[H13]]) b(%[[X]][%[[LSLOT]]]) step 1
// CHECK-NEXT:      %[[M2:.*]] = mxfp4.wgmma %[[M1]] a(%[[H20]], %[[H21]], %[[H22]], %[[H23]]) b(%[[X]][%[[LSLOT]]]) step 2
// CHECK-NEXT:      %[[M3:.*]] = mxfp4.wgmma %[[M2]] a(%[[H30]], %[[H31]], %[[H32]], %[[H33]]) b(%[[X]][%[[LSLOT]]]) step 3
// CHECK-NEXT:      %[[SUMS:.*]] = vector.broadcast %[[M3]]
// CHECK-NEXT:      nvvm.wgmma.commit.group.sync.aligned
// CHECK-NEXT:      %[[UP:.*]] = arith.addi %[[LSLOT]], %[[C1]]
// CHECK-NEXT:      %[[WRAPS:.*]] = arith.cmpi eq, %[[UP]], %[[C3]]
// CHECK-NEXT:      %[[SLOT1:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[UP]]
// CHECK-NEXT:      %[[FLIPPED:.*]] = arith.xori %[[LPARITY]], %[[ONE]]
// CHECK-NEXT:      %[[PARITY1:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[LPARITY]]
// Behind its back: the next slot.
// CHECK-NEXT:      mxfp4.wait_barrier %[[FULL]][%[[SLOT1]]] parity %[[PARITY1]]
// CHECK-NEXT:      %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT1]],
// CHECK-NEXT:      %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT1]],
// CHECK-NEXT:      %[[N00:.*]], %[[N01:.*]], %[[N02:.*]], %[[N03:.*]] = mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:      %[[N10:.*]], %[[N11:.*]], %[[N12:.*]], %[[N13:.*]] = mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:      %[[N20:.*]], %[[N21:.*]], %[[N22:.*]], %[[N23:.*]] = mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:      %[[N30:.*]], %[[N31:.*]], %[[N32:.*]], %[[N33:.*]] = mxfp4.decode %[[P3]], %[[S]] step 3
// Its own slot is free when it is done, not before.
// CHECK-NEXT:      %[[ACC1:.*]] = mxfp4.wgmma_wait %[[SUMS]]
// CHECK-NEXT:      mxfp4.arrive_barrier %[[EMPTY]][%[[LSLOT]]]
// The second multiplies those, and leaves a new set to the next round.
// CHECK-NEXT:      nvvm.wgmma.fence.aligned
// CHECK-NEXT:      %[[M:.*]] = vector.extract %[[ACC1]][0]
// CHECK-NEXT:      %[[M0:.*]] = mxfp4.wgmma %[[M]] a(%[[N00]], %[[N01]], %[[N02]], %[[N03]]) b(%[[X]][%[[SLOT1]]]) step 0
// CHECK-NEXT:      %[[M1:.*]] = mxfp4.wgmma %[[M0]] a(%[[N10]], %[[N11]], %[[N12]], %[[N13]]) b(%[[X]][%[[SLOT1]]]) step 1
// CHECK-NEXT:      %[[M2:.*]] = mxfp4.wgmma %[[M1]] a(%[[N20]], %[[N21]], %[[N22]], %[[N23]]) b(%[[X]][%[[SLOT1]]]) step 2
// CHECK-NEXT:      %[[M3:.*]] = mxfp4.wgmma %[[M2]] a(%[[N30]], %[[N31]], %[[N32]], %[[N33]]) b(%[[X]][%[[SLOT1]]]) step 3
// CHECK-NEXT:      %[[SUMS:.*]] = vector.broadcast %[[M3]]
// CHECK-NEXT:      nvvm.wgmma.commit.group.sync.aligned
// CHECK-NEXT:      %[[UP:.*]] = arith.addi %[[SLOT1]], %[[C1]]
// CHECK-NEXT:      %[[WRAPS:.*]] = arith.cmpi eq, %[[UP]], %[[C3]]
// CHECK-NEXT:      %[[SLOT2:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[UP]]
// CHECK-NEXT:      %[[FLIPPED:.*]] = arith.xori %[[PARITY1]], %[[ONE]]
// CHECK-NEXT:      %[[PARITY2:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[PARITY1]]
// CHECK-NEXT:      mxfp4.wait_barrier %[[FULL]][%[[SLOT2]]] parity %[[PARITY2]]
// CHECK-NEXT:      %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT2]],
// CHECK-NEXT:      %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT2]],
// CHECK-NEXT:      %[[Q00:.*]], %[[Q01:.*]], %[[Q02:.*]], %[[Q03:.*]] = mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:      %[[Q10:.*]], %[[Q11:.*]], %[[Q12:.*]], %[[Q13:.*]] = mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:      %[[Q20:.*]], %[[Q21:.*]], %[[Q22:.*]], %[[Q23:.*]] = mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:      %[[Q30:.*]], %[[Q31:.*]], %[[Q32:.*]], %[[Q33:.*]] = mxfp4.decode %[[P3]], %[[S]] step 3
// CHECK-NEXT:      %[[ACC2:.*]] = mxfp4.wgmma_wait %[[SUMS]]
// CHECK-NEXT:      mxfp4.arrive_barrier %[[EMPTY]][%[[SLOT1]]]
// CHECK-NEXT:      scf.yield %[[ACC2]], %[[SLOT2]], %[[PARITY2]], %[[Q00]], %[[Q01]], %[[Q02]], %[[Q03]], %[[Q10]], %[[Q11]], %[[Q12]], %[[Q13]], %[[Q20]], %[[Q21]], %[[Q22]], %[[Q23]], %[[Q30]], %[[Q31]], %[[Q32]], %[[Q33]]
// CHECK-NEXT:    }
// The last step.
// CHECK-NEXT:    nvvm.wgmma.fence.aligned
// CHECK-NEXT:    %[[M:.*]] = vector.extract %[[R]]#0[0]
// CHECK-NEXT:    %[[M0:.*]] = mxfp4.wgmma %[[M]] a(%[[R]]#3, %[[R]]#4, %[[R]]#5, %[[R]]#6) b(%[[X]][%[[R]]#1]) step 0
// CHECK-NEXT:    %[[M1:.*]] = mxfp4.wgmma %[[M0]] a(%[[R]]#7, %[[R]]#8, %[[R]]#9, %[[R]]#10) b(%[[X]][%[[R]]#1]) step 1
// CHECK-NEXT:    %[[M2:.*]] = mxfp4.wgmma %[[M1]] a(%[[R]]#11, %[[R]]#12, %[[R]]#13, %[[R]]#14) b(%[[X]][%[[R]]#1]) step 2
// CHECK-NEXT:    %[[M3:.*]] = mxfp4.wgmma %[[M2]] a(%[[R]]#15, %[[R]]#16, %[[R]]#17, %[[R]]#18) b(%[[X]][%[[R]]#1]) step 3
// CHECK-NEXT:    %[[SUMS:.*]] = vector.broadcast %[[M3]]
// CHECK-NEXT:    nvvm.wgmma.commit.group.sync.aligned
// CHECK-NEXT:    %[[UP:.*]] = arith.addi %[[R]]#1, %[[C1]]
// CHECK-NEXT:    %[[WRAPS:.*]] = arith.cmpi eq, %[[UP]], %[[C3]]
// CHECK-NEXT:    %[[SLOT3:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[UP]]
// CHECK-NEXT:    %[[FLIPPED:.*]] = arith.xori %[[R]]#2, %[[ONE]]
// CHECK-NEXT:    %[[PARITY3:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[R]]#2
// CHECK-NEXT:    %[[ACC3:.*]] = mxfp4.wgmma_wait %[[SUMS]]
// CHECK-NEXT:    mxfp4.arrive_barrier %[[EMPTY]][%[[R]]#1]
// CHECK-NEXT:    return %[[ACC3]], %[[SLOT3]], %[[PARITY3]]
func.func @five_steps(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %first: index, %phase: i32, %zero: vector<1x2x4xf32>)
    -> (vector<1x2x4xf32>, index, i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %steps = arith.constant 5 : index
  %one = arith.constant 1 : i32
  %r:3 = scf.for %k = %c0 to %steps step %c1
      iter_args(%acc = %zero, %slot = %first, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %n = mxfp4.tile_matmul %acc, %w, %x at [%slot] {schedule = #schedule}
        : vector<1x2x4xf32>, !w, !x
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    %wraps = arith.cmpi eq, %slot1, %c3 : index
    %slot2 = arith.select %wraps, %c0, %slot1 : index
    %flipped = arith.xori %parity, %one : i32
    %parity2 = arith.select %wraps, %flipped, %parity : i32
    scf.yield %n, %slot2, %parity2 : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return %r#0, %r#1, %r#2 : vector<1x2x4xf32>, index, i32
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// K = 384, six steps: an even number leaves two behind the loop, the first of
// which has a next step to decode.

// CHECK-LABEL: func @six_steps(
// CHECK-SAME:    %[[FULL:[^:]*]]: memref<3xi64, {{.*}}>, %[[EMPTY:[^:]*]]: memref<3xi64, {{.*}}>, %[[W:[^:]*]]: memref<3x1x{{.*}}>, %[[X:[^:]*]]: memref<3x16x64xbf16, {{.*}}>, %[[SLOT:[^:]*]]: index, %[[PARITY:[^:]*]]: i32, %[[ACC:[^:]*]]: vector<1x2x4xf32>)
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK:         mxfp4.wait_barrier %[[FULL]][%[[SLOT]]] parity %[[PARITY]]
// CHECK:         %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT]],
// CHECK-NEXT:    %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT]],
// CHECK-NEXT:    %[[A00:.*]], %[[A01:.*]], %[[A02:.*]], %[[A03:.*]] = mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:    %[[A10:.*]], %[[A11:.*]], %[[A12:.*]], %[[A13:.*]] = mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:    %[[A20:.*]], %[[A21:.*]], %[[A22:.*]], %[[A23:.*]] = mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:    %[[A30:.*]], %[[A31:.*]], %[[A32:.*]], %[[A33:.*]] = mxfp4.decode %[[P3]], %[[S]] step 3
// CHECK-NEXT:    %[[R:.*]]:19 = scf.for %{{.*}} = %[[C0]] to %[[C2]] step %[[C1]] iter_args(%[[LACC:.*]] = %[[ACC]], %[[LSLOT:.*]] = %[[SLOT]], %[[LPARITY:.*]] = %[[PARITY]], %[[H00:.*]] = %[[A00]], %[[H01:.*]] = %[[A01]], %[[H02:.*]] = %[[A02]], %[[H03:.*]] = %[[A03]], %[[H10:.*]] = %[[A10]], %[[H11:.*]] = %[[A11]], %[[H12:.*]] = %[[A12]], %[[H13:.*]] = %[[A13]], %[[H20:.*]] = %[[A20]], %[[H21:.*]] = %[[A21]], %[[H22:.*]] = %[[A22]], %[[H23:.*]] = %[[A23]], %[[H30:.*]] = %[[A30]], %[[H31:.*]] = %[[A31]], %[[H32:.*]] = %[[A32]], %[[H33:.*]] = %[[A33]])
// The first of the two steps multiplies the fragments that came in.
// CHECK-NEXT:      nvvm.wgmma.fence.aligned
// CHECK-NEXT:      %[[M:.*]] = vector.extract %[[LACC]][0]
// CHECK-NEXT:      %[[M0:.*]] = mxfp4.wgmma %[[M]] a(%[[H00]], %[[H01]], %[[H02]], %[[H03]]) b(%[[X]][%[[LSLOT]]]) step 0
// CHECK-NEXT:      %[[M1:.*]] = mxfp4.wgmma %[[M0]] a(%[[H10]], %[[H11]], %[[H12]], %[[H13]]) b(%[[X]][%[[LSLOT]]]) step 1
// CHECK-NEXT:      %[[M2:.*]] = mxfp4.wgmma %[[M1]] a(%[[H20]], %[[H21]], %[[H22]], %[[H23]]) b(%[[X]][%[[LSLOT]]]) step 2
// CHECK-NEXT:      %[[M3:.*]] = mxfp4.wgmma %[[M2]] a(%[[H30]], %[[H31]], %[[H32]], %[[H33]]) b(%[[X]][%[[LSLOT]]]) step 3
// CHECK-NEXT:      %[[SUMS:.*]] = vector.broadcast %[[M3]]
// CHECK-NEXT:      nvvm.wgmma.commit.group.sync.aligned
// CHECK-NEXT:      %[[UP:.*]] = arith.addi %[[LSLOT]], %[[C1]]
// CHECK-NEXT:      %[[WRAPS:.*]] = arith.cmpi eq, %[[UP]], %[[C3]]
// CHECK-NEXT:      %[[SLOT1:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[UP]]
// CHECK-NEXT:      %[[FLIPPED:.*]] = arith.xori %[[LPARITY]], %[[ONE]]
// CHECK-NEXT:      %[[PARITY1:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[LPARITY]]
// Behind its back: the next slot.
// CHECK-NEXT:      mxfp4.wait_barrier %[[FULL]][%[[SLOT1]]] parity %[[PARITY1]]
// CHECK-NEXT:      %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT1]],
// CHECK-NEXT:      %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT1]],
// CHECK-NEXT:      %[[N00:.*]], %[[N01:.*]], %[[N02:.*]], %[[N03:.*]] = mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:      %[[N10:.*]], %[[N11:.*]], %[[N12:.*]], %[[N13:.*]] = mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:      %[[N20:.*]], %[[N21:.*]], %[[N22:.*]], %[[N23:.*]] = mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:      %[[N30:.*]], %[[N31:.*]], %[[N32:.*]], %[[N33:.*]] = mxfp4.decode %[[P3]], %[[S]] step 3
// Its own slot is free when it is done, not before.
// CHECK-NEXT:      %[[ACC1:.*]] = mxfp4.wgmma_wait %[[SUMS]]
// CHECK-NEXT:      mxfp4.arrive_barrier %[[EMPTY]][%[[LSLOT]]]
// The second multiplies those, and leaves a new set to the next round.
// CHECK-NEXT:      nvvm.wgmma.fence.aligned
// CHECK-NEXT:      %[[M:.*]] = vector.extract %[[ACC1]][0]
// CHECK-NEXT:      %[[M0:.*]] = mxfp4.wgmma %[[M]] a(%[[N00]], %[[N01]], %[[N02]], %[[N03]]) b(%[[X]][%[[SLOT1]]]) step 0
// CHECK-NEXT:      %[[M1:.*]] = mxfp4.wgmma %[[M0]] a(%[[N10]], %[[N11]], %[[N12]], %[[N13]]) b(%[[X]][%[[SLOT1]]]) step 1
// CHECK-NEXT:      %[[M2:.*]] = mxfp4.wgmma %[[M1]] a(%[[N20]], %[[N21]], %[[N22]], %[[N23]]) b(%[[X]][%[[SLOT1]]]) step 2
// CHECK-NEXT:      %[[M3:.*]] = mxfp4.wgmma %[[M2]] a(%[[N30]], %[[N31]], %[[N32]], %[[N33]]) b(%[[X]][%[[SLOT1]]]) step 3
// CHECK-NEXT:      %[[SUMS:.*]] = vector.broadcast %[[M3]]
// CHECK-NEXT:      nvvm.wgmma.commit.group.sync.aligned
// CHECK-NEXT:      %[[UP:.*]] = arith.addi %[[SLOT1]], %[[C1]]
// CHECK-NEXT:      %[[WRAPS:.*]] = arith.cmpi eq, %[[UP]], %[[C3]]
// CHECK-NEXT:      %[[SLOT2:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[UP]]
// CHECK-NEXT:      %[[FLIPPED:.*]] = arith.xori %[[PARITY1]], %[[ONE]]
// CHECK-NEXT:      %[[PARITY2:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[PARITY1]]
// CHECK-NEXT:      mxfp4.wait_barrier %[[FULL]][%[[SLOT2]]] parity %[[PARITY2]]
// CHECK-NEXT:      %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT2]],
// CHECK-NEXT:      %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT2]],
// CHECK-NEXT:      %[[Q00:.*]], %[[Q01:.*]], %[[Q02:.*]], %[[Q03:.*]] = mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:      %[[Q10:.*]], %[[Q11:.*]], %[[Q12:.*]], %[[Q13:.*]] = mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:      %[[Q20:.*]], %[[Q21:.*]], %[[Q22:.*]], %[[Q23:.*]] = mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:      %[[Q30:.*]], %[[Q31:.*]], %[[Q32:.*]], %[[Q33:.*]] = mxfp4.decode %[[P3]], %[[S]] step 3
// CHECK-NEXT:      %[[ACC2:.*]] = mxfp4.wgmma_wait %[[SUMS]]
// CHECK-NEXT:      mxfp4.arrive_barrier %[[EMPTY]][%[[SLOT1]]]
// CHECK-NEXT:      scf.yield %[[ACC2]], %[[SLOT2]], %[[PARITY2]], %[[Q00]], %[[Q01]], %[[Q02]], %[[Q03]], %[[Q10]], %[[Q11]], %[[Q12]], %[[Q13]], %[[Q20]], %[[Q21]], %[[Q22]], %[[Q23]], %[[Q30]], %[[Q31]], %[[Q32]], %[[Q33]]
// CHECK-NEXT:    }
// The last step but one.
// CHECK-NEXT:    nvvm.wgmma.fence.aligned
// CHECK-NEXT:    %[[M:.*]] = vector.extract %[[R]]#0[0]
// CHECK-NEXT:    %[[M0:.*]] = mxfp4.wgmma %[[M]] a(%[[R]]#3, %[[R]]#4, %[[R]]#5, %[[R]]#6) b(%[[X]][%[[R]]#1]) step 0
// CHECK-NEXT:    %[[M1:.*]] = mxfp4.wgmma %[[M0]] a(%[[R]]#7, %[[R]]#8, %[[R]]#9, %[[R]]#10) b(%[[X]][%[[R]]#1]) step 1
// CHECK-NEXT:    %[[M2:.*]] = mxfp4.wgmma %[[M1]] a(%[[R]]#11, %[[R]]#12, %[[R]]#13, %[[R]]#14) b(%[[X]][%[[R]]#1]) step 2
// CHECK-NEXT:    %[[M3:.*]] = mxfp4.wgmma %[[M2]] a(%[[R]]#15, %[[R]]#16, %[[R]]#17, %[[R]]#18) b(%[[X]][%[[R]]#1]) step 3
// CHECK-NEXT:    %[[SUMS:.*]] = vector.broadcast %[[M3]]
// CHECK-NEXT:    nvvm.wgmma.commit.group.sync.aligned
// CHECK-NEXT:    %[[UP:.*]] = arith.addi %[[R]]#1, %[[C1]]
// CHECK-NEXT:    %[[WRAPS:.*]] = arith.cmpi eq, %[[UP]], %[[C3]]
// CHECK-NEXT:    %[[SLOT3:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[UP]]
// CHECK-NEXT:    %[[FLIPPED:.*]] = arith.xori %[[R]]#2, %[[ONE]]
// CHECK-NEXT:    %[[PARITY3:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[R]]#2
// CHECK-NEXT:    mxfp4.wait_barrier %[[FULL]][%[[SLOT3]]] parity %[[PARITY3]]
// CHECK-NEXT:    %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT3]],
// CHECK-NEXT:    %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT3]],
// CHECK-NEXT:    %[[B00:.*]], %[[B01:.*]], %[[B02:.*]], %[[B03:.*]] = mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:    %[[B10:.*]], %[[B11:.*]], %[[B12:.*]], %[[B13:.*]] = mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:    %[[B20:.*]], %[[B21:.*]], %[[B22:.*]], %[[B23:.*]] = mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:    %[[B30:.*]], %[[B31:.*]], %[[B32:.*]], %[[B33:.*]] = mxfp4.decode %[[P3]], %[[S]] step 3
// CHECK-NEXT:    %[[ACC3:.*]] = mxfp4.wgmma_wait %[[SUMS]]
// CHECK-NEXT:    mxfp4.arrive_barrier %[[EMPTY]][%[[R]]#1]
// The last.
// CHECK-NEXT:    nvvm.wgmma.fence.aligned
// CHECK-NEXT:    %[[M:.*]] = vector.extract %[[ACC3]][0]
// CHECK-NEXT:    %[[M0:.*]] = mxfp4.wgmma %[[M]] a(%[[B00]], %[[B01]], %[[B02]], %[[B03]]) b(%[[X]][%[[SLOT3]]]) step 0
// CHECK-NEXT:    %[[M1:.*]] = mxfp4.wgmma %[[M0]] a(%[[B10]], %[[B11]], %[[B12]], %[[B13]]) b(%[[X]][%[[SLOT3]]]) step 1
// CHECK-NEXT:    %[[M2:.*]] = mxfp4.wgmma %[[M1]] a(%[[B20]], %[[B21]], %[[B22]], %[[B23]]) b(%[[X]][%[[SLOT3]]]) step 2
// CHECK-NEXT:    %[[M3:.*]] = mxfp4.wgmma %[[M2]] a(%[[B30]], %[[B31]], %[[B32]], %[[B33]]) b(%[[X]][%[[SLOT3]]]) step 3
// CHECK-NEXT:    %[[SUMS:.*]] = vector.broadcast %[[M3]]
// CHECK-NEXT:    nvvm.wgmma.commit.group.sync.aligned
// CHECK-NEXT:    %[[UP:.*]] = arith.addi %[[SLOT3]], %[[C1]]
// CHECK-NEXT:    %[[WRAPS:.*]] = arith.cmpi eq, %[[UP]], %[[C3]]
// CHECK-NEXT:    %[[SLOT4:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[UP]]
// CHECK-NEXT:    %[[FLIPPED:.*]] = arith.xori %[[PARITY3]], %[[ONE]]
// CHECK-NEXT:    %[[PARITY4:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[PARITY3]]
// CHECK-NEXT:    %[[ACC4:.*]] = mxfp4.wgmma_wait %[[SUMS]]
// CHECK-NEXT:    mxfp4.arrive_barrier %[[EMPTY]][%[[SLOT3]]]
// CHECK-NEXT:    return %[[ACC4]], %[[SLOT4]], %[[PARITY4]]
func.func @six_steps(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %first: index, %phase: i32, %zero: vector<1x2x4xf32>)
    -> (vector<1x2x4xf32>, index, i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %steps = arith.constant 6 : index
  %one = arith.constant 1 : i32
  %r:3 = scf.for %k = %c0 to %steps step %c1
      iter_args(%acc = %zero, %slot = %first, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %n = mxfp4.tile_matmul %acc, %w, %x at [%slot] {schedule = #schedule}
        : vector<1x2x4xf32>, !w, !x
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    %wraps = arith.cmpi eq, %slot1, %c3 : index
    %slot2 = arith.select %wraps, %c0, %slot1 : index
    %flipped = arith.xori %parity, %one : i32
    %parity2 = arith.select %wraps, %flipped, %parity : i32
    scf.yield %n, %slot2, %parity2 : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return %r#0, %r#1, %r#2 : vector<1x2x4xf32>, index, i32
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// K = 256, four steps: one round of the loop, which the canonicalizer unrolls.
// Each batch but the last has the next decode behind it.

// CHECK-LABEL: func @four_steps(
// CHECK-SAME:    %[[FULL:[^:]*]]: memref<3xi64, {{.*}}>, %[[EMPTY:[^:]*]]: memref<3xi64, {{.*}}>, %[[W:[^:]*]]: memref<3x1x{{.*}}>, %[[X:[^:]*]]: memref<3x16x64xbf16, {{.*}}>, %[[SLOT:[^:]*]]: index, %[[PARITY:[^:]*]]: i32, %[[ACC:[^:]*]]: vector<1x2x4xf32>)
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-NOT:     scf.for
// CHECK:         mxfp4.wait_barrier %[[FULL]][%[[SLOT]]] parity %[[PARITY]]
// CHECK:         %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT]],
// CHECK-NEXT:    %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT]],
// CHECK-NEXT:    %[[A0_00:.*]], %[[A0_01:.*]], %[[A0_02:.*]], %[[A0_03:.*]] = mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:    %[[A0_10:.*]], %[[A0_11:.*]], %[[A0_12:.*]], %[[A0_13:.*]] = mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:    %[[A0_20:.*]], %[[A0_21:.*]], %[[A0_22:.*]], %[[A0_23:.*]] = mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:    %[[A0_30:.*]], %[[A0_31:.*]], %[[A0_32:.*]], %[[A0_33:.*]] = mxfp4.decode %[[P3]], %[[S]] step 3
// CHECK-NEXT:    nvvm.wgmma.fence.aligned
// CHECK-NEXT:    %[[M:.*]] = vector.extract %[[ACC]][0]
// CHECK-NEXT:    %[[M0:.*]] = mxfp4.wgmma %[[M]] a(%[[A0_00]], %[[A0_01]], %[[A0_02]], %[[A0_03]]) b(%[[X]][%[[SLOT]]]) step 0
// CHECK-NEXT:    %[[M1:.*]] = mxfp4.wgmma %[[M0]] a(%[[A0_10]], %[[A0_11]], %[[A0_12]], %[[A0_13]]) b(%[[X]][%[[SLOT]]]) step 1
// CHECK-NEXT:    %[[M2:.*]] = mxfp4.wgmma %[[M1]] a(%[[A0_20]], %[[A0_21]], %[[A0_22]], %[[A0_23]]) b(%[[X]][%[[SLOT]]]) step 2
// CHECK-NEXT:    %[[M3:.*]] = mxfp4.wgmma %[[M2]] a(%[[A0_30]], %[[A0_31]], %[[A0_32]], %[[A0_33]]) b(%[[X]][%[[SLOT]]]) step 3
// CHECK-NEXT:    %[[SUMS:.*]] = vector.broadcast %[[M3]]
// CHECK-NEXT:    nvvm.wgmma.commit.group.sync.aligned
// CHECK-NEXT:    %[[UP:.*]] = arith.addi %[[SLOT]], %[[C1]]
// CHECK-NEXT:    %[[WRAPS:.*]] = arith.cmpi eq, %[[UP]], %[[C3]]
// CHECK-NEXT:    %[[SLOT1:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[UP]]
// CHECK-NEXT:    %[[FLIPPED:.*]] = arith.xori %[[PARITY]], %[[ONE]]
// CHECK-NEXT:    %[[PARITY1:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[PARITY]]
// CHECK-NEXT:    mxfp4.wait_barrier %[[FULL]][%[[SLOT1]]] parity %[[PARITY1]]
// CHECK-NEXT:    %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT1]],
// CHECK-NEXT:    %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT1]],
// CHECK-NEXT:    %[[A1_00:.*]], %[[A1_01:.*]], %[[A1_02:.*]], %[[A1_03:.*]] = mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:    %[[A1_10:.*]], %[[A1_11:.*]], %[[A1_12:.*]], %[[A1_13:.*]] = mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:    %[[A1_20:.*]], %[[A1_21:.*]], %[[A1_22:.*]], %[[A1_23:.*]] = mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:    %[[A1_30:.*]], %[[A1_31:.*]], %[[A1_32:.*]], %[[A1_33:.*]] = mxfp4.decode %[[P3]], %[[S]] step 3
// CHECK-NEXT:    %[[ACC1:.*]] = mxfp4.wgmma_wait %[[SUMS]]
// CHECK-NEXT:    mxfp4.arrive_barrier %[[EMPTY]][%[[SLOT]]]
// CHECK-NEXT:    nvvm.wgmma.fence.aligned
// CHECK-NEXT:    %[[M:.*]] = vector.extract %[[ACC1]][0]
// CHECK-NEXT:    %[[M0:.*]] = mxfp4.wgmma %[[M]] a(%[[A1_00]], %[[A1_01]], %[[A1_02]], %[[A1_03]]) b(%[[X]][%[[SLOT1]]]) step 0
// CHECK-NEXT:    %[[M1:.*]] = mxfp4.wgmma %[[M0]] a(%[[A1_10]], %[[A1_11]], %[[A1_12]], %[[A1_13]]) b(%[[X]][%[[SLOT1]]]) step 1
// CHECK-NEXT:    %[[M2:.*]] = mxfp4.wgmma %[[M1]] a(%[[A1_20]], %[[A1_21]], %[[A1_22]], %[[A1_23]]) b(%[[X]][%[[SLOT1]]]) step 2
// CHECK-NEXT:    %[[M3:.*]] = mxfp4.wgmma %[[M2]] a(%[[A1_30]], %[[A1_31]], %[[A1_32]], %[[A1_33]]) b(%[[X]][%[[SLOT1]]]) step 3
// CHECK-NEXT:    %[[SUMS:.*]] = vector.broadcast %[[M3]]
// CHECK-NEXT:    nvvm.wgmma.commit.group.sync.aligned
// CHECK-NEXT:    %[[UP:.*]] = arith.addi %[[SLOT1]], %[[C1]]
// CHECK-NEXT:    %[[WRAPS:.*]] = arith.cmpi eq, %[[UP]], %[[C3]]
// CHECK-NEXT:    %[[SLOT2:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[UP]]
// CHECK-NEXT:    %[[FLIPPED:.*]] = arith.xori %[[PARITY1]], %[[ONE]]
// CHECK-NEXT:    %[[PARITY2:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[PARITY1]]
// CHECK-NEXT:    mxfp4.wait_barrier %[[FULL]][%[[SLOT2]]] parity %[[PARITY2]]
// CHECK-NEXT:    %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT2]],
// CHECK-NEXT:    %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT2]],
// CHECK-NEXT:    %[[A2_00:.*]], %[[A2_01:.*]], %[[A2_02:.*]], %[[A2_03:.*]] = mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:    %[[A2_10:.*]], %[[A2_11:.*]], %[[A2_12:.*]], %[[A2_13:.*]] = mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:    %[[A2_20:.*]], %[[A2_21:.*]], %[[A2_22:.*]], %[[A2_23:.*]] = mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:    %[[A2_30:.*]], %[[A2_31:.*]], %[[A2_32:.*]], %[[A2_33:.*]] = mxfp4.decode %[[P3]], %[[S]] step 3
// CHECK-NEXT:    %[[ACC2:.*]] = mxfp4.wgmma_wait %[[SUMS]]
// CHECK-NEXT:    mxfp4.arrive_barrier %[[EMPTY]][%[[SLOT1]]]
// CHECK-NEXT:    nvvm.wgmma.fence.aligned
// CHECK-NEXT:    %[[M:.*]] = vector.extract %[[ACC2]][0]
// CHECK-NEXT:    %[[M0:.*]] = mxfp4.wgmma %[[M]] a(%[[A2_00]], %[[A2_01]], %[[A2_02]], %[[A2_03]]) b(%[[X]][%[[SLOT2]]]) step 0
// CHECK-NEXT:    %[[M1:.*]] = mxfp4.wgmma %[[M0]] a(%[[A2_10]], %[[A2_11]], %[[A2_12]], %[[A2_13]]) b(%[[X]][%[[SLOT2]]]) step 1
// CHECK-NEXT:    %[[M2:.*]] = mxfp4.wgmma %[[M1]] a(%[[A2_20]], %[[A2_21]], %[[A2_22]], %[[A2_23]]) b(%[[X]][%[[SLOT2]]]) step 2
// CHECK-NEXT:    %[[M3:.*]] = mxfp4.wgmma %[[M2]] a(%[[A2_30]], %[[A2_31]], %[[A2_32]], %[[A2_33]]) b(%[[X]][%[[SLOT2]]]) step 3
// CHECK-NEXT:    %[[SUMS:.*]] = vector.broadcast %[[M3]]
// CHECK-NEXT:    nvvm.wgmma.commit.group.sync.aligned
// CHECK-NEXT:    %[[UP:.*]] = arith.addi %[[SLOT2]], %[[C1]]
// CHECK-NEXT:    %[[WRAPS:.*]] = arith.cmpi eq, %[[UP]], %[[C3]]
// CHECK-NEXT:    %[[SLOT3:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[UP]]
// CHECK-NEXT:    %[[FLIPPED:.*]] = arith.xori %[[PARITY2]], %[[ONE]]
// CHECK-NEXT:    %[[PARITY3:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[PARITY2]]
// CHECK-NEXT:    mxfp4.wait_barrier %[[FULL]][%[[SLOT3]]] parity %[[PARITY3]]
// CHECK-NEXT:    %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT3]],
// CHECK-NEXT:    %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT3]],
// CHECK-NEXT:    %[[A3_00:.*]], %[[A3_01:.*]], %[[A3_02:.*]], %[[A3_03:.*]] = mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:    %[[A3_10:.*]], %[[A3_11:.*]], %[[A3_12:.*]], %[[A3_13:.*]] = mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:    %[[A3_20:.*]], %[[A3_21:.*]], %[[A3_22:.*]], %[[A3_23:.*]] = mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:    %[[A3_30:.*]], %[[A3_31:.*]], %[[A3_32:.*]], %[[A3_33:.*]] = mxfp4.decode %[[P3]], %[[S]] step 3
// CHECK-NEXT:    %[[ACC3:.*]] = mxfp4.wgmma_wait %[[SUMS]]
// CHECK-NEXT:    mxfp4.arrive_barrier %[[EMPTY]][%[[SLOT2]]]
// CHECK-NEXT:    nvvm.wgmma.fence.aligned
// CHECK-NEXT:    %[[M:.*]] = vector.extract %[[ACC3]][0]
// CHECK-NEXT:    %[[M0:.*]] = mxfp4.wgmma %[[M]] a(%[[A3_00]], %[[A3_01]], %[[A3_02]], %[[A3_03]]) b(%[[X]][%[[SLOT3]]]) step 0
// CHECK-NEXT:    %[[M1:.*]] = mxfp4.wgmma %[[M0]] a(%[[A3_10]], %[[A3_11]], %[[A3_12]], %[[A3_13]]) b(%[[X]][%[[SLOT3]]]) step 1
// CHECK-NEXT:    %[[M2:.*]] = mxfp4.wgmma %[[M1]] a(%[[A3_20]], %[[A3_21]], %[[A3_22]], %[[A3_23]]) b(%[[X]][%[[SLOT3]]]) step 2
// CHECK-NEXT:    %[[M3:.*]] = mxfp4.wgmma %[[M2]] a(%[[A3_30]], %[[A3_31]], %[[A3_32]], %[[A3_33]]) b(%[[X]][%[[SLOT3]]]) step 3
// CHECK-NEXT:    %[[SUMS:.*]] = vector.broadcast %[[M3]]
// CHECK-NEXT:    nvvm.wgmma.commit.group.sync.aligned
// CHECK-NEXT:    %[[UP:.*]] = arith.addi %[[SLOT3]], %[[C1]]
// CHECK-NEXT:    %[[WRAPS:.*]] = arith.cmpi eq, %[[UP]], %[[C3]]
// CHECK-NEXT:    %[[SLOT4:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[UP]]
// CHECK-NEXT:    %[[FLIPPED:.*]] = arith.xori %[[PARITY3]], %[[ONE]]
// CHECK-NEXT:    %[[PARITY4:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[PARITY3]]
// CHECK-NEXT:    %[[ACC4:.*]] = mxfp4.wgmma_wait %[[SUMS]]
// CHECK-NEXT:    mxfp4.arrive_barrier %[[EMPTY]][%[[SLOT3]]]
// CHECK-NEXT:    return %[[ACC4]], %[[SLOT4]], %[[PARITY4]]
func.func @four_steps(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %first: index, %phase: i32, %zero: vector<1x2x4xf32>)
    -> (vector<1x2x4xf32>, index, i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %steps = arith.constant 4 : index
  %one = arith.constant 1 : i32
  %r:3 = scf.for %k = %c0 to %steps step %c1
      iter_args(%acc = %zero, %slot = %first, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %n = mxfp4.tile_matmul %acc, %w, %x at [%slot] {schedule = #schedule}
        : vector<1x2x4xf32>, !w, !x
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    %wraps = arith.cmpi eq, %slot1, %c3 : index
    %slot2 = arith.select %wraps, %c0, %slot1 : index
    %flipped = arith.xori %parity, %one : i32
    %parity2 = arith.select %wraps, %flipped, %parity : i32
    scf.yield %n, %slot2, %parity2 : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return %r#0, %r#1, %r#2 : vector<1x2x4xf32>, index, i32
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// K = 64, one step: nothing to overlap, and nothing decoded in vain. Slot and
// parity still move on, for the next tile.

// CHECK-LABEL: func @one_step(
// CHECK-SAME:    %[[FULL:[^:]*]]: memref<3xi64, {{.*}}>, %[[EMPTY:[^:]*]]: memref<3xi64, {{.*}}>, %[[W:[^:]*]]: memref<3x1x{{.*}}>, %[[X:[^:]*]]: memref<3x16x64xbf16, {{.*}}>, %[[SLOT:[^:]*]]: index, %[[PARITY:[^:]*]]: i32, %[[ACC:[^:]*]]: vector<1x2x4xf32>)
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-NOT:     scf.for
// CHECK:         mxfp4.wait_barrier %[[FULL]][%[[SLOT]]] parity %[[PARITY]]
// CHECK:         %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT]],
// CHECK-NEXT:    %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT]],
// CHECK-NEXT:    %[[A00:.*]], %[[A01:.*]], %[[A02:.*]], %[[A03:.*]] = mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:    %[[A10:.*]], %[[A11:.*]], %[[A12:.*]], %[[A13:.*]] = mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:    %[[A20:.*]], %[[A21:.*]], %[[A22:.*]], %[[A23:.*]] = mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:    %[[A30:.*]], %[[A31:.*]], %[[A32:.*]], %[[A33:.*]] = mxfp4.decode %[[P3]], %[[S]] step 3
// CHECK-NEXT:    nvvm.wgmma.fence.aligned
// CHECK-NEXT:    %[[M:.*]] = vector.extract %[[ACC]][0]
// CHECK-NEXT:    %[[M0:.*]] = mxfp4.wgmma %[[M]] a(%[[A00]], %[[A01]], %[[A02]], %[[A03]]) b(%[[X]][%[[SLOT]]]) step 0
// CHECK-NEXT:    %[[M1:.*]] = mxfp4.wgmma %[[M0]] a(%[[A10]], %[[A11]], %[[A12]], %[[A13]]) b(%[[X]][%[[SLOT]]]) step 1
// CHECK-NEXT:    %[[M2:.*]] = mxfp4.wgmma %[[M1]] a(%[[A20]], %[[A21]], %[[A22]], %[[A23]]) b(%[[X]][%[[SLOT]]]) step 2
// CHECK-NEXT:    %[[M3:.*]] = mxfp4.wgmma %[[M2]] a(%[[A30]], %[[A31]], %[[A32]], %[[A33]]) b(%[[X]][%[[SLOT]]]) step 3
// CHECK-NEXT:    %[[SUMS:.*]] = vector.broadcast %[[M3]]
// CHECK-NEXT:    nvvm.wgmma.commit.group.sync.aligned
// CHECK-NEXT:    %[[UP:.*]] = arith.addi %[[SLOT]], %[[C1]]
// CHECK-NEXT:    %[[WRAPS:.*]] = arith.cmpi eq, %[[UP]], %[[C3]]
// CHECK-NEXT:    %[[SLOT1:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[UP]]
// CHECK-NEXT:    %[[FLIPPED:.*]] = arith.xori %[[PARITY]], %[[ONE]]
// CHECK-NEXT:    %[[PARITY1:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[PARITY]]
// CHECK-NEXT:    %[[ACC1:.*]] = mxfp4.wgmma_wait %[[SUMS]]
// CHECK-NEXT:    mxfp4.arrive_barrier %[[EMPTY]][%[[SLOT]]]
// CHECK-NEXT:    return %[[ACC1]], %[[SLOT1]], %[[PARITY1]]
func.func @one_step(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %first: index, %phase: i32, %zero: vector<1x2x4xf32>)
    -> (vector<1x2x4xf32>, index, i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %steps = arith.constant 1 : index
  %one = arith.constant 1 : i32
  %r:3 = scf.for %k = %c0 to %steps step %c1
      iter_args(%acc = %zero, %slot = %first, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %n = mxfp4.tile_matmul %acc, %w, %x at [%slot] {schedule = #schedule}
        : vector<1x2x4xf32>, !w, !x
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    %wraps = arith.cmpi eq, %slot1, %c3 : index
    %slot2 = arith.select %wraps, %c0, %slot1 : index
    %flipped = arith.xori %parity, %one : i32
    %parity2 = arith.select %wraps, %flipped, %parity : i32
    scf.yield %n, %slot2, %parity2 : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return %r#0, %r#1, %r#2 : vector<1x2x4xf32>, index, i32
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// A loop without the mark stays as mxfp4-insert-decode leaves it: load, decode,
// multiply, wait, one after the other.

// CHECK-LABEL: func @unmarked(
// CHECK:         %[[STEPS:.*]] = arith.constant 5 : index
// CHECK:         scf.for %{{.*}} = %{{.*}} to %[[STEPS]]
// CHECK-NEXT:      mxfp4.wait_barrier
// CHECK:           mxfp4.load_codes
// CHECK-NEXT:      mxfp4.load_scales
// CHECK-NEXT:      mxfp4.decode {{.*}} step 0
// CHECK-NEXT:      mxfp4.decode {{.*}} step 1
// CHECK-NEXT:      mxfp4.decode {{.*}} step 2
// CHECK-NEXT:      mxfp4.decode {{.*}} step 3
// CHECK-NEXT:      nvvm.wgmma.fence.aligned
// CHECK-NEXT:      vector.extract
// CHECK-NEXT:      mxfp4.wgmma {{.*}} step 0
// CHECK-NEXT:      mxfp4.wgmma {{.*}} step 1
// CHECK-NEXT:      mxfp4.wgmma {{.*}} step 2
// CHECK-NEXT:      mxfp4.wgmma {{.*}} step 3
// CHECK-NEXT:      vector.broadcast
// CHECK-NEXT:      nvvm.wgmma.commit.group.sync.aligned
// CHECK-NEXT:      mxfp4.wgmma_wait
// CHECK-NEXT:      mxfp4.arrive_barrier
func.func @unmarked(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %first: index, %phase: i32, %zero: vector<1x2x4xf32>)
    -> (vector<1x2x4xf32>, index, i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %steps = arith.constant 5 : index
  %one = arith.constant 1 : i32
  %r:3 = scf.for %k = %c0 to %steps step %c1
      iter_args(%acc = %zero, %slot = %first, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %n = mxfp4.tile_matmul %acc, %w, %x at [%slot] {schedule = #schedule}
        : vector<1x2x4xf32>, !w, !x
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    %wraps = arith.cmpi eq, %slot1, %c3 : index
    %slot2 = arith.select %wraps, %c0, %slot1 : index
    %flipped = arith.xori %parity, %one : i32
    %parity2 = arith.select %wraps, %flipped, %parity : i32
    scf.yield %n, %slot2, %parity2 : vector<1x2x4xf32>, index, i32
  }
  return %r#0, %r#1, %r#2 : vector<1x2x4xf32>, index, i32
}
