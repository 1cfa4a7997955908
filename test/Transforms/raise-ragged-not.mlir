// Loops that are something else keep their loop, and the matmul of one expert in
// it is raised by itself.
//
// RUN: mxfp4-opt %s --mxfp4-raise \
// RUN:   --verify-diagnostics | FileCheck %s

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

// Rows without an expert are not zero.

// CHECK-LABEL: func @other_init(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @other_init(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %sizes: tensor<4xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  %one = arith.constant 1.0 : bf16
  %init = linalg.fill ins(%one : bf16) outs(%ye : tensor<?x48xbf16>)
      -> tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: the output must start at +0.0 or undefined: rows without an expert become}}
  %y:2 = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %init, %start = %c0) -> (tensor<?x48xbf16>, index) {
    %size32 = tensor.extract %sizes[%e] : tensor<4xi32>
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    %end = arith.addi %start, %size : index
    scf.yield %next, %end : tensor<?x48xbf16>, index
  }
  return %y#0 : tensor<?x48xbf16>
}

// The output is an argument: what is in it, and how many rows, is not known.

// CHECK-LABEL: func @argument_init(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @argument_init(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %offsets: tensor<5xi32>,
                 %given: tensor<?x48xbf16>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: the output must start at +0.0 or undefined: rows without an expert become}}
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %given)
      -> tensor<?x48xbf16> {
    %start32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %after = arith.addi %e, %c1 : index
    %end32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %start = arith.index_cast %start32 : i32 to index
    %end = arith.index_cast %end32 : i32 to index
    %size = arith.subi %end, %start : index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    scf.yield %next : tensor<?x48xbf16>
  }
  return %y : tensor<?x48xbf16>
}

// The output may have more rows than the activations.

// CHECK-LABEL: func @other_rows(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @other_rows(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %offsets: tensor<5xi32>, %rows: index) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: the output may have other rows than the activations; make the output with}}
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %ye)
      -> tensor<?x48xbf16> {
    %start32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %after = arith.addi %e, %c1 : index
    %end32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %start = arith.index_cast %start32 : i32 to index
    %end = arith.index_cast %end32 : i32 to index
    %size = arith.subi %end, %start : index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    scf.yield %next : tensor<?x48xbf16>
  }
  return %y : tensor<?x48xbf16>
}

// Not all experts.

// CHECK-LABEL: func @some_experts(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @some_experts(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %offsets: tensor<5xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  %c2 = arith.constant 2 : index
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: the weights of an expert must be slice number e, whole, of weights of as}}
  %y = scf.for %e = %c0 to %c2 step %c1 iter_args(%out = %ye)
      -> tensor<?x48xbf16> {
    %start32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %after = arith.addi %e, %c1 : index
    %end32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %start = arith.index_cast %start32 : i32 to index
    %end = arith.index_cast %end32 : i32 to index
    %size = arith.subi %end, %start : index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    scf.yield %next : tensor<?x48xbf16>
  }
  return %y : tensor<?x48xbf16>
}

// Every second expert.

// CHECK-LABEL: func @second_experts(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @second_experts(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %offsets: tensor<5xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  %c2 = arith.constant 2 : index
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: the loop must run from 0 to a constant number of experts in steps of 1}}
  %y = scf.for %e = %c0 to %c4 step %c2 iter_args(%out = %ye)
      -> tensor<?x48xbf16> {
    %start32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %after = arith.addi %e, %c1 : index
    %end32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %start = arith.index_cast %start32 : i32 to index
    %end = arith.index_cast %end32 : i32 to index
    %size = arith.subi %end, %start : index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    scf.yield %next : tensor<?x48xbf16>
  }
  return %y : tensor<?x48xbf16>
}

// The expert is not that of the rows.

// CHECK-LABEL: func @other_expert(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @other_expert(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %offsets: tensor<5xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: the weights of an expert must be slice number e, whole, of weights of as}}
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %ye)
      -> tensor<?x48xbf16> {
    %start32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %after = arith.addi %e, %c1 : index
    %end32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %start = arith.index_cast %start32 : i32 to index
    %end = arith.index_cast %end32 : i32 to index
    %size = arith.subi %end, %start : index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%c1, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    scf.yield %next : tensor<?x48xbf16>
  }
  return %y : tensor<?x48xbf16>
}

// The rows are not those of the expert.

// CHECK-LABEL: func @other_rows_in(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @other_rows_in(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %offsets: tensor<5xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: the activations of an expert must be the rows that its result is inserted}}
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %ye)
      -> tensor<?x48xbf16> {
    %start32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %after = arith.addi %e, %c1 : index
    %end32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %start = arith.index_cast %start32 : i32 to index
    %end = arith.index_cast %end32 : i32 to index
    %size = arith.subi %end, %start : index
    %xe = tensor.extract_slice %x[%end, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    scf.yield %next : tensor<?x48xbf16>
  }
  return %y : tensor<?x48xbf16>
}

// An expert's rows end at the offset after the next, or all at the same one.

// CHECK-LABEL: func @end_two_ahead(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @end_two_ahead(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %offsets: tensor<5xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: an expert's rows must be those from offsets[e] to offsets[e + 1], of offsets with one entry more than there are experts}}
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %ye)
      -> tensor<?x48xbf16> {
    %start32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %after = arith.addi %e, %c2 : index
    %end32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %start = arith.index_cast %start32 : i32 to index
    %end = arith.index_cast %end32 : i32 to index
    %size = arith.subi %end, %start : index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    scf.yield %next : tensor<?x48xbf16>
  }
  return %y : tensor<?x48xbf16>
}

// CHECK-LABEL: func @end_of_one_offset(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @end_of_one_offset(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %offsets: tensor<5xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: an expert's rows must be those from offsets[e] to offsets[e + 1], of offsets with one entry more than there are experts}}
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %ye)
      -> tensor<?x48xbf16> {
    %start32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %end32 = tensor.extract %offsets[%c4] : tensor<5xi32>
    %start = arith.index_cast %start32 : i32 to index
    %end = arith.index_cast %end32 : i32 to index
    %size = arith.subi %end, %start : index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    scf.yield %next : tensor<?x48xbf16>
  }
  return %y : tensor<?x48xbf16>
}

// The result goes elsewhere.

// CHECK-LABEL: func @other_rows_out(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @other_rows_out(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %offsets: tensor<5xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: the activations of an expert must be the rows that its result is inserted}}
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %ye)
      -> tensor<?x48xbf16> {
    %start32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %after = arith.addi %e, %c1 : index
    %end32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %start = arith.index_cast %start32 : i32 to index
    %end = arith.index_cast %end32 : i32 to index
    %size = arith.subi %end, %start : index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%end, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    scf.yield %next : tensor<?x48xbf16>
  }
  return %y : tensor<?x48xbf16>
}

// Sizes that do not begin at row 0.

// CHECK-LABEL: func @late_start(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @late_start(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %sizes: tensor<4xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  %init = linalg.fill ins(%zero16 : bf16) outs(%ye : tensor<?x48xbf16>)
      -> tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: an expert's rows must be those from offsets[e] to offsets[e + 1], or}}
  %y:2 = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %init, %start = %c1) -> (tensor<?x48xbf16>, index) {
    %size32 = tensor.extract %sizes[%e] : tensor<4xi32>
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    %end = arith.addi %start, %size : index
    scf.yield %next, %end : tensor<?x48xbf16>, index
  }
  return %y#0 : tensor<?x48xbf16>
}

// Rows that overlap.

// CHECK-LABEL: func @overlap(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @overlap(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %sizes: tensor<4xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  %init = linalg.fill ins(%zero16 : bf16) outs(%ye : tensor<?x48xbf16>)
      -> tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: an expert's rows must be those from offsets[e] to offsets[e + 1], or}}
  %y:2 = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %init, %start = %c0) -> (tensor<?x48xbf16>, index) {
    %size32 = tensor.extract %sizes[%e] : tensor<4xi32>
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    %end = arith.addi %start, %c1 : index
    scf.yield %next, %end : tensor<?x48xbf16>, index
  }
  return %y#0 : tensor<?x48xbf16>
}

// The end is used.

// CHECK-LABEL: func @end_used(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @end_used(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %sizes: tensor<4xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  %init = linalg.fill ins(%zero16 : bf16) outs(%ye : tensor<?x48xbf16>)
      -> tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: an expert's rows must be those from offsets[e] to offsets[e + 1], or}}
  %y:2 = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %init, %start = %c0) -> (tensor<?x48xbf16>, index) {
    %size32 = tensor.extract %sizes[%e] : tensor<4xi32>
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    %end = arith.addi %start, %size : index
    scf.yield %next, %end : tensor<?x48xbf16>, index
  }
  %k = tensor.insert %zero16 into %y#0[%y#1, %c0] : tensor<?x48xbf16>
  return %k : tensor<?x48xbf16>
}

// An output of two writes.

// CHECK-LABEL: func @twice(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @twice(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %offsets: tensor<5xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: the loop must insert the rows of an expert into the output that it}}
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %ye)
      -> tensor<?x48xbf16> {
    %start32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %after = arith.addi %e, %c1 : index
    %end32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %start = arith.index_cast %start32 : i32 to index
    %end = arith.index_cast %end32 : i32 to index
    %size = arith.subi %end, %start : index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %first = tensor.insert_slice %r into %out[0, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %first[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    scf.yield %next : tensor<?x48xbf16>
  }
  return %y : tensor<?x48xbf16>
}

// An effect in the loop.

// CHECK-LABEL: func @effect(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func private @log(index)
func.func @effect(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %offsets: tensor<5xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: the loop has effects on memory}}
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %ye)
      -> tensor<?x48xbf16> {
    %start32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %after = arith.addi %e, %c1 : index
    %end32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %start = arith.index_cast %start32 : i32 to index
    %end = arith.index_cast %end32 : i32 to index
    %size = arith.subi %end, %start : index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    func.call @log(%size) : (index) -> ()
    scf.yield %next : tensor<?x48xbf16>
  }
  return %y : tensor<?x48xbf16>
}

// The next first row is no sum.

// CHECK-LABEL: func @carries_a_product(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @carries_a_product(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %sizes: tensor<4xi32>) -> tensor<?x48xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %one = arith.constant dense<1> : tensor<4xi32>
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xf32>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: an expert's rows must be those from offsets[e] to offsets[e + 1], or}}
  %y:2 = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %ye, %start = %c0) -> (tensor<?x48xf32>, index) {
    %size32 = tensor.extract %sizes[%e] : tensor<4xi32>
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %next = tensor.insert_slice %p into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xf32> into tensor<?x48xf32>
    %end = arith.muli %start, %size : index
    scf.yield %next, %end : tensor<?x48xf32>, index
  }
  return %y#0 : tensor<?x48xf32>
}

// A first row of 8 bits begins again at 0 behind row 255.

// CHECK-LABEL: func @carries_a_byte(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @carries_a_byte(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %sizes: tensor<4xi8>) -> tensor<?x48xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %none = arith.constant 0 : i8
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xf32>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: an expert's rows must be those from offsets[e] to offsets[e + 1], or}}
  %y:2 = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %ye, %start8 = %none) -> (tensor<?x48xf32>, i8) {
    %size8 = tensor.extract %sizes[%e] : tensor<4xi8>
    %size = arith.index_castui %size8 : i8 to index
    %start = arith.index_castui %start8 : i8 to index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %next = tensor.insert_slice %p into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xf32> into tensor<?x48xf32>
    %end = arith.addi %start8, %size8 : i8
    scf.yield %next, %end : tensor<?x48xf32>, i8
  }
  return %y#0 : tensor<?x48xf32>
}

// The next first row does not depend on this one.

// CHECK-LABEL: func @carries_a_constant(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @carries_a_constant(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %sizes: tensor<4xi32>) -> tensor<?x48xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %one = arith.constant dense<1> : tensor<4xi32>
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xf32>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: an expert's rows must be those from offsets[e] to offsets[e + 1], or}}
  %y:2 = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %ye, %start = %c0) -> (tensor<?x48xf32>, index) {
    %size32 = tensor.extract %sizes[%e] : tensor<4xi32>
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %next = tensor.insert_slice %p into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xf32> into tensor<?x48xf32>
    %end = arith.addi %c2, %size : index
    scf.yield %next, %end : tensor<?x48xf32>, index
  }
  return %y#0 : tensor<?x48xf32>
}

// The number of rows is no element of a tensor.

// CHECK-LABEL: func @computed_size(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @computed_size(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %sizes: tensor<4xi32>) -> tensor<?x48xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %one = arith.constant dense<1> : tensor<4xi32>
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xf32>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: an expert's rows must be those from offsets[e] to offsets[e + 1], or}}
  %y:2 = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %ye, %start = %c0) -> (tensor<?x48xf32>, index) {
    %size = arith.addi %e, %c1 : index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %next = tensor.insert_slice %p into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xf32> into tensor<?x48xf32>
    %end = arith.addi %start, %size : index
    scf.yield %next, %end : tensor<?x48xf32>, index
  }
  return %y#0 : tensor<?x48xf32>
}

// The numbers of rows are computed in the loop.

// CHECK-LABEL: func @sizes_in_loop(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @sizes_in_loop(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %sizes: tensor<4xi32>) -> tensor<?x48xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %one = arith.constant dense<1> : tensor<4xi32>
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xf32>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: an expert's rows must be those from offsets[e] to offsets[e + 1], or}}
  %y:2 = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %ye, %start = %c0) -> (tensor<?x48xf32>, index) {
    %other = arith.addi %sizes, %one : tensor<4xi32>
    %size32 = tensor.extract %other[%e] : tensor<4xi32>
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %next = tensor.insert_slice %p into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xf32> into tensor<?x48xf32>
    %end = arith.addi %start, %size : index
    scf.yield %next, %end : tensor<?x48xf32>, index
  }
  return %y#0 : tensor<?x48xf32>
}

// There are more numbers of rows than experts.

// CHECK-LABEL: func @more_sizes(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @more_sizes(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %sizes: tensor<5xi32>) -> tensor<?x48xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %one = arith.constant dense<1> : tensor<4xi32>
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xf32>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: an expert's rows must be those from offsets[e] to offsets[e + 1], or}}
  %y:2 = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %ye, %start = %c0) -> (tensor<?x48xf32>, index) {
    %size32 = tensor.extract %sizes[%e] : tensor<5xi32>
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %next = tensor.insert_slice %p into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xf32> into tensor<?x48xf32>
    %end = arith.addi %start, %size : index
    scf.yield %next, %end : tensor<?x48xf32>, index
  }
  return %y#0 : tensor<?x48xf32>
}

// The bias in the loop is the same for all experts, and not a slice of E x N.

// CHECK-LABEL: func @common_bias(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @common_bias(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
    %s: tensor<4x48x2xi8>, %o: tensor<5xi32>, %bias: tensor<1x48xf32>) -> tensor<?x48xbf16> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %init = tensor.empty(%rows) : tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: what an epilogue adds must be values of the expert's rows, slice number e of values for each expert, or one value, of tensors that do not change in the loop}}
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %init) -> tensor<?x48xbf16> {
    %e1 = arith.addi %e, %c1 : index
    %begin32 = tensor.extract %o[%e] : tensor<5xi32>
    %end32 = tensor.extract %o[%e1] : tensor<5xi32>
    %start = arith.index_cast %begin32 : i32 to index
    %size32 = arith.subi %end32, %begin32 : i32
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %ce = tensor.extract_slice %c[%e, 0, 0, 0] [1, 48, 2, 16] [1, 1, 1, 1]
        : tensor<4x48x2x16xi8> to tensor<1x48x2x16xi8>
    %se = tensor.extract_slice %s[%e, 0, 0] [1, 48, 2] [1, 1, 1]
        : tensor<4x48x2xi8> to tensor<1x48x2xi8>
    %oe = tensor.generate {
    ^bb0(%i: index):
      %n = arith.muli %i, %size : index
      %m = arith.index_cast %n : index to i32
      tensor.yield %m : i32
    } : tensor<2xi32>
    %pe = tensor.empty(%size) : tensor<?x48xbf16>
    %p = mxfp4.grouped_matmul activations(%xe : tensor<?x64xbf16>)
        weights(%ce, %se : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
        offsets(%oe : tensor<2xi32>) outs(%pe : tensor<?x48xbf16>)
        epilogue(%bias : tensor<1x48xf32>) {
        ^bb0(%sum: f32, %b: f32):
          %v = arith.addf %sum, %b : f32
          mxfp4.yield %v : f32
        } -> tensor<?x48xbf16>
    %next = tensor.insert_slice %p into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    scf.yield %next : tensor<?x48xbf16>
  }
  return %y : tensor<?x48xbf16>
}

// A grouped matmul of one group that has none of the rows, or others.

// CHECK-LABEL: func @group_of_no_rows(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @group_of_no_rows(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %offsets: tensor<5xi32>) -> tensor<?x48xbf16> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: the activations of an expert must be the rows that its result is inserted into}}
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %ye) -> tensor<?x48xbf16> {
    %start32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %after = arith.addi %e, %c1 : index
    %end32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %start = arith.index_cast %start32 : i32 to index
    %end = arith.index_cast %end32 : i32 to index
    %size = arith.subi %end, %start : index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1] : tensor<?x64xbf16> to tensor<?x64xbf16>
    %ce = tensor.extract_slice %c[%e, 0, 0, 0] [1, 48, 2, 16] [1, 1, 1, 1] : tensor<4x48x2x16xi8> to tensor<1x48x2x16xi8>
    %se = tensor.extract_slice %s[%e, 0, 0] [1, 48, 2] [1, 1, 1] : tensor<4x48x2xi8> to tensor<1x48x2xi8>
    %pe = tensor.empty(%size) : tensor<?x48xbf16>
    %group = tensor.generate {
    ^bb0(%i: index):
      %r = arith.muli %c1, %size : index
      %r32 = arith.index_cast %r : index to i32
      tensor.yield %r32 : i32
    } : tensor<2xi32>
    %p = mxfp4.grouped_matmul activations(%xe : tensor<?x64xbf16>)
      weights(%ce, %se : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%group : tensor<2xi32>) outs(%pe : tensor<?x48xbf16>) -> tensor<?x48xbf16>
    %next = tensor.insert_slice %p into %out[%start, 0] [%size, 48] [1, 1] : tensor<?x48xbf16> into tensor<?x48xbf16>
    scf.yield %next : tensor<?x48xbf16>
  }
  return %y : tensor<?x48xbf16>
}

// CHECK-LABEL: func @group_of_other_rows(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @group_of_other_rows(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %offsets: tensor<5xi32>) -> tensor<?x48xbf16> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: the activations of an expert must be the rows that its result is inserted into}}
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %ye) -> tensor<?x48xbf16> {
    %start32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %after = arith.addi %e, %c1 : index
    %end32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %start = arith.index_cast %start32 : i32 to index
    %end = arith.index_cast %end32 : i32 to index
    %size = arith.subi %end, %start : index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1] : tensor<?x64xbf16> to tensor<?x64xbf16>
    %ce = tensor.extract_slice %c[%e, 0, 0, 0] [1, 48, 2, 16] [1, 1, 1, 1] : tensor<4x48x2x16xi8> to tensor<1x48x2x16xi8>
    %se = tensor.extract_slice %s[%e, 0, 0] [1, 48, 2] [1, 1, 1] : tensor<4x48x2xi8> to tensor<1x48x2xi8>
    %pe = tensor.empty(%size) : tensor<?x48xbf16>
    %group = tensor.generate {
    ^bb0(%i: index):
      %r = arith.addi %i, %size : index
      %r32 = arith.index_cast %r : index to i32
      tensor.yield %r32 : i32
    } : tensor<2xi32>
    %p = mxfp4.grouped_matmul activations(%xe : tensor<?x64xbf16>)
      weights(%ce, %se : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%group : tensor<2xi32>) outs(%pe : tensor<?x48xbf16>) -> tensor<?x48xbf16>
    %next = tensor.insert_slice %p into %out[%start, 0] [%size, 48] [1, 1] : tensor<?x48xbf16> into tensor<?x48xbf16>
    scf.yield %next : tensor<?x48xbf16>
  }
  return %y : tensor<?x48xbf16>
}

// Only the low bits of a size count.

// CHECK-LABEL: func @low_bits_of_sizes(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @low_bits_of_sizes(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %sizes: tensor<4xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  %one = arith.constant 0.0 : bf16
  %init = linalg.fill ins(%one : bf16) outs(%ye : tensor<?x48xbf16>)
      -> tensor<?x48xbf16>
  // expected-remark@below {{'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: an expert's rows must be those from offsets[e] to offsets[e + 1], or sizes[e] behind those of the expert}}
  %y:2 = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %init, %start = %c0) -> (tensor<?x48xbf16>, index) {
    %size32 = tensor.extract %sizes[%e] : tensor<4xi32>
    %wide = arith.index_cast %size32 : i32 to index
    %low = arith.index_cast %wide : index to i8
    %size = arith.index_castui %low : i8 to index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    %end = arith.addi %start, %size : index
    scf.yield %next, %end : tensor<?x48xbf16>, index
  }
  return %y#0 : tensor<?x48xbf16>
}

// A parallel loop whose iterations do more than to multiply.

// CHECK-LABEL: func @parallel_with_more(
// CHECK:         scf.forall
// CHECK:           mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         return
func.func @parallel_with_more(%x: tensor<4x8x64xbf16>, %c: tensor<4x48x2x16xi8>,
    %s: tensor<4x48x2xi8>, %init: tensor<4x8x48xf32>) -> tensor<4x8x48xf32> {
  %zeros = arith.constant dense<0.0> : tensor<8x48xf32>
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  // expected-remark@below {{'scf.forall' is not raised to one mxfp4.grouped_matmul of all its iterations: an iteration must multiply rows of the activations by one slice of the weights, and store the result as the rows of an expert or as a slice of its own; write the loop as an scf.for, of which the remark says more}}
  %y = scf.forall (%e) in (4) shared_outs(%out = %init) -> (tensor<4x8x48xf32>) {
    %xe = tensor.extract_slice %x[%e, 0, 0] [1, 8, 64] [1, 1, 1]
        : tensor<4x8x64xbf16> to tensor<8x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<8x64xbf16>, tensor<48x64xbf16>)
        outs(%zeros : tensor<8x48xf32>) -> tensor<8x48xf32>
    %root = math.sqrt %p : tensor<8x48xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %root into %out[%e, 0, 0] [1, 8, 48] [1, 1, 1]
          : tensor<8x48xf32> into tensor<4x8x48xf32>
    }
  }
  return %y : tensor<4x8x48xf32>
}
