// Loops marked mxfp4.role that are not as mxfp4-specialize-warps leaves them.
//
// RUN: mxfp4-opt %s --mxfp4-share-tiles --split-input-file --verify-diagnostics

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!table = memref<4xi32, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// What roles there are.

gpu.module @kernels {
  gpu.func @role(%o: memref<3xi32>, %table: !table, %log: memref<?xindex>,
      %cta: index, %tiles: index, %ctas: index) workgroup(%full: !barriers)
      kernel attributes {mxfp4.schedule = #schedule} {
    mxfp4.init_barriers %full count 1 : !barriers
    scf.for %tile = %cta to %tiles step %ctas {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
    } {mxfp4.role = "schedule"}
    // expected-error @below {{requires mxfp4.role to be "schedule", "copy" or "multiply"}}
    scf.for %tile = %cta to %tiles step %ctas {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
    } {mxfp4.role = "rest"}
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!table = memref<4xi32, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

gpu.module @kernels {
  gpu.func @no_text(%o: memref<3xi32>, %table: !table, %log: memref<?xindex>,
      %cta: index, %tiles: index, %ctas: index) workgroup(%full: !barriers)
      kernel attributes {mxfp4.schedule = #schedule} {
    mxfp4.init_barriers %full count 1 : !barriers
    scf.for %tile = %cta to %tiles step %ctas {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
    } {mxfp4.role = "schedule"}
    // expected-error @below {{requires mxfp4.role to be "schedule", "copy" or "multiply"}}
    scf.for %tile = %cta to %tiles step %ctas {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
    } {mxfp4.role = 1 : i64}
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!table = memref<4xi32, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// A tile comes from another thread, which knows its place and not its number.

gpu.module @kernels {
  gpu.func @no_tile(%o: memref<3xi32>, %table: !table, %log: memref<?xindex>,
      %cta: index, %tiles: index, %ctas: index) workgroup(%full: !barriers)
      kernel attributes {mxfp4.schedule = #schedule} {
    mxfp4.init_barriers %full count 1 : !barriers
    scf.for %tile = %cta to %tiles step %ctas {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
    } {mxfp4.role = "schedule"}
    // expected-error @below {{marked mxfp4.role requires a body that begins with mxfp4.locate_tile and uses the number of the tile nowhere else, and no loop around it}}
    scf.for %tile = %cta to %tiles step %ctas {
      %row = arith.constant 0 : index
      memref.store %row, %log[%row] : memref<?xindex>
    } {mxfp4.role = "copy"}
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!table = memref<4xi32, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

gpu.module @kernels {
  gpu.func @number(%o: memref<3xi32>, %table: !table, %log: memref<?xindex>,
      %cta: index, %tiles: index, %ctas: index) workgroup(%full: !barriers)
      kernel attributes {mxfp4.schedule = #schedule} {
    mxfp4.init_barriers %full count 1 : !barriers
    scf.for %tile = %cta to %tiles step %ctas {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
    } {mxfp4.role = "schedule"}
    // expected-error @below {{marked mxfp4.role requires a body that begins with mxfp4.locate_tile and uses the number of the tile nowhere else, and no loop around it}}
    scf.for %tile = %cta to %tiles step %ctas {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      memref.store %tile, %log[%tile] : memref<?xindex>
    } {mxfp4.role = "copy"}
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!table = memref<4xi32, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

gpu.module @kernels {
  gpu.func @other_number(%o: memref<3xi32>, %table: !table, %log: memref<?xindex>,
      %cta: index, %tiles: index, %ctas: index) workgroup(%full: !barriers)
      kernel attributes {mxfp4.schedule = #schedule} {
    mxfp4.init_barriers %full count 1 : !barriers
    scf.for %tile = %cta to %tiles step %ctas {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
    } {mxfp4.role = "schedule"}
    // expected-error @below {{marked mxfp4.role requires a body that begins with mxfp4.locate_tile and uses the number of the tile nowhere else, and no loop around it}}
    scf.for %tile = %cta to %tiles step %ctas {
      %e, %row, %n, %column = mxfp4.locate_tile %cta in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
    } {mxfp4.role = "copy"}
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!table = memref<4xi32, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

gpu.module @kernels {
  gpu.func @nested(%o: memref<3xi32>, %table: !table, %log: memref<?xindex>,
      %cta: index, %tiles: index, %ctas: index) workgroup(%full: !barriers)
      kernel attributes {mxfp4.schedule = #schedule} {
    mxfp4.init_barriers %full count 1 : !barriers
    scf.for %tile = %cta to %tiles step %ctas {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
    } {mxfp4.role = "schedule"}
    scf.for %i = %cta to %tiles step %ctas {
      // expected-error @below {{marked mxfp4.role requires a body that begins with mxfp4.locate_tile and uses the number of the tile nowhere else, and no loop around it}}
      scf.for %tile = %cta to %tiles step %ctas {
        %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
            experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      } {mxfp4.role = "copy"}
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!table = memref<4xi32, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// One scheduler; without it, all others would wait for ever.

gpu.module @kernels {
  gpu.func @two_schedulers(%o: memref<3xi32>, %table: !table, %log: memref<?xindex>,
      %cta: index, %tiles: index, %ctas: index) workgroup(%full: !barriers)
      kernel attributes {mxfp4.schedule = #schedule} {
    mxfp4.init_barriers %full count 1 : !barriers
    scf.for %tile = %cta to %tiles step %ctas {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
    } {mxfp4.role = "schedule"}
    // expected-error @below {{marked mxfp4.role = "schedule" requires to be the only one in its kernel, and to carry nothing}}
    scf.for %tile = %cta to %tiles step %ctas {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
    } {mxfp4.role = "schedule"}
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!table = memref<4xi32, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

gpu.module @kernels {
  gpu.func @carries(%o: memref<3xi32>, %table: !table, %log: memref<?xindex>,
      %cta: index, %tiles: index, %ctas: index) workgroup(%full: !barriers)
      kernel attributes {mxfp4.schedule = #schedule} {
    mxfp4.init_barriers %full count 1 : !barriers
    // expected-error @below {{marked mxfp4.role = "schedule" requires to be the only one in its kernel, and to carry nothing}}
    %r = scf.for %tile = %cta to %tiles step %ctas iter_args(%i = %cta) -> (index) {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      scf.yield %i : index
    } {mxfp4.role = "schedule"}
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!table = memref<4xi32, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

gpu.module @kernels {
  // expected-error @below {{requires a loop marked mxfp4.role = "schedule", which canonicalization removes: run mxfp4-share-tiles before it}}
  gpu.func @no_scheduler(%o: memref<3xi32>, %table: !table, %log: memref<?xindex>,
      %cta: index, %tiles: index, %ctas: index) workgroup(%full: !barriers)
      kernel attributes {mxfp4.schedule = #schedule} {
    mxfp4.init_barriers %full count 1 : !barriers
    scf.for %tile = %cta to %tiles step %ctas {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
    } {mxfp4.role = "copy"}
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!table = memref<4xi32, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// The workspace is an argument of the operation's type.

gpu.module @kernels {
  // expected-error @below {{requires its argument "workspace" to have type 'memref<2xi32>', but got 'memref<?xindex>'}}
  gpu.func @workspace_type(%o: memref<3xi32>, %table: !table,
      %log: memref<?xindex> {mxfp4.arg = #mxfp4.arg<workspace by launcher>},
      %cta: index, %tiles: index, %ctas: index) workgroup(%full: !barriers)
      kernel attributes {mxfp4.schedule = #schedule} {
    mxfp4.init_barriers %full count 1 : !barriers
    scf.for %tile = %cta to %tiles step %ctas {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
    } {mxfp4.role = "schedule"}
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!table = memref<4xi32, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// A kernel that has no barriers was not split by mxfp4-specialize-warps.

gpu.module @kernels {
  // expected-error @below {{requires barriers (mxfp4.init_barriers) to set up others with}}
  gpu.func @no_barriers(%o: memref<3xi32>, %table: !table, %log: memref<?xindex>,
      %cta: index, %tiles: index, %ctas: index) workgroup(%full: !barriers)
      kernel attributes {mxfp4.schedule = #schedule} {
    scf.for %tile = %cta to %tiles step %ctas {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
    } {mxfp4.role = "schedule"}
    gpu.return
  }
}
