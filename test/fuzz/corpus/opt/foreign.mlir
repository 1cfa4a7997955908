// builtin.module(mxfp4-to-ptx)
module attributes {gpu.container_module} {
  gpu.module @theirs [#nvvm.target<chip = "sm_80">] {
    gpu.func @k(%a: memref<?xi64, strided<[2], offset: ?>>, %n: index) kernel {
      %big = arith.constant 5000000000 : index
      %sum = arith.addi %n, %big : index
      %word = arith.index_cast %sum : index to i64
      %c0 = arith.constant 0 : index
      %d = memref.dim %a, %c0 : memref<?xi64, strided<[2], offset: ?>>
      memref.store %word, %a[%d] : memref<?xi64, strided<[2], offset: ?>>
      gpu.return
    }
    gpu.func @device(%a: i32) -> i32 {
      gpu.return %a : i32
    }
  }
  module @inner {
    func.func @"jit(f)"(%x: memref<?x64xbf16>, %w: memref<2x1x1x!mxfp4.block<spread, raw>>, %o: memref<3xi32>, %y: memref<?x64xbf16>) {
      mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>) weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>) offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      return
    }
  }
}
