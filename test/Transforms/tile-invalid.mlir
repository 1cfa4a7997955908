// Each precondition of mxfp4-tile, and the remedy that its message names.
//
// RUN: mxfp4-opt %s --mxfp4-tile --split-input-file --verify-diagnostics

func.func @tensors(%x: tensor<?x64xbf16>,
                   %w: tensor<2x1x1x!mxfp4.block<spread, raw>>,
                   %o: tensor<3xi32>, %y: tensor<?x64xbf16>)
    -> tensor<?x64xbf16> {
  // expected-error @below {{requires memref operands to become a kernel; bufferize first}}
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%w : tensor<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : tensor<3xi32>) outs(%y : tensor<?x64xbf16>)
      -> tensor<?x64xbf16>
  return %r : tensor<?x64xbf16>
}

// -----

func.func @strided(%x: memref<?x64xbf16, strided<[128, 1]>>,
                   %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
                   %o: memref<3xi32>, %y: memref<?x64xbf16>) {
  // expected-error @below {{requires contiguous memrefs (identity layout) to become a kernel; run mxfp4-make-contiguous}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16, strided<[128, 1]>>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
  return
}

// -----

func.func @checkpoint(%x: memref<?x64xbf16>, %c: memref<2x64x2x16xi8>,
                      %s: memref<2x64x2xi8>, %o: memref<3xi32>,
                      %y: memref<?x64xbf16>) {
  // expected-error @below {{requires weights in a fragment-major layout to become a kernel; insert mxfp4.pack}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%c, %s : memref<2x64x2x16xi8>, memref<2x64x2xi8>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
  return
}

// -----

func.func @n(%x: memref<?x64xbf16>,
             %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
             %o: memref<3xi32>, %y: memref<?x?xbf16>) {
  // expected-error @below {{requires N to be static to become a kernel}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x?xbf16>)
  return
}

// -----

func.func @k(%x: memref<?x?xbf16>,
             %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
             %o: memref<3xi32>, %y: memref<?x64xbf16>) {
  // expected-error @below {{requires K to be static to become a kernel}}
  mxfp4.grouped_matmul activations(%x : memref<?x?xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
  return
}

// -----

func.func @experts(%x: memref<?x64xbf16>,
                   %w: memref<?x1x1x!mxfp4.block<spread, raw>>,
                   %o: memref<3xi32>, %y: memref<?x64xbf16>) {
  // expected-error @below {{requires the number of experts to be static to become a kernel}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<?x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
  return
}

// -----

func.func @groups(%x: memref<?x64xbf16>,
                  %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
                  %o: memref<?xi32>, %y: memref<?x64xbf16>) {
  // expected-error @below {{requires the number of groups to be static to become a kernel}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<?xi32>) outs(%y : memref<?x64xbf16>)
  return
}

// -----

func.func @schedule(%x: memref<?x64xbf16>,
                    %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
                    %o: memref<3xi32>, %y: memref<?x64xbf16>) {
  // expected-error @below {{requires a schedule to become a kernel; run mxfp4-choose-schedule}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
  return
}

// -----

// mxfp4-choose-schedule leaves such an operation alone; the reason is given here.
func.func @many_groups(%x: memref<?x64xbf16>,
                       %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
                       %o: memref<1026xi32>, %i: memref<1025xi32>,
                       %y: memref<?x64xbf16>) {
  // expected-error @below {{requires at most 1024 groups to become a kernel, but has 1025}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<1026xi32>) expert_ids(%i : memref<1025xi32>)
      outs(%y : memref<?x64xbf16>)
  return
}

// -----

module attributes {gpu.container_module} {
  gpu.module @theirs {
    gpu.func @k(%x: memref<?x64xbf16>, %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
                %o: memref<3xi32>, %y: memref<?x64xbf16>) kernel {
      // expected-error @below {{requires to be in code of the host to become a kernel, which the host launches, but is in a gpu.module}}
      mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
          weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
          offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      gpu.return
    }
  }
}
