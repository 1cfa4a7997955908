// RUN: mxfp4-opt %s --split-input-file --verify-diagnostics

!ids = memref<8x2xi32>
!weights = memref<8x2xf32>
func.func @logits(%l: memref<8x6xi32>, %ids: !ids, %w: !weights) {
  // expected-error @+1 {{'mxfp4.top_k' op requires logits of rank 2 and element type bf16 or f32, but got 'memref<8x6xi32>'}}
  mxfp4.top_k logits(%l : memref<8x6xi32>) scoring(sigmoid) outs(%ids, %w : !ids, !weights)
  return
}

// -----

!weights = memref<8x2xf32>
func.func @ids(%l: memref<8x6xf32>, %ids: memref<4x2xi32>, %w: !weights) {
  // expected-error @+1 {{'mxfp4.top_k' op requires ids of shape 8x? and element type 'i32', but got 'memref<4x2xi32>'}}
  mxfp4.top_k logits(%l : memref<8x6xf32>) scoring(sigmoid)
      outs(%ids, %w : memref<4x2xi32>, !weights)
  return
}

// -----

!ids = memref<8x2xi32>
func.func @weights(%l: memref<8x6xf32>, %ids: !ids, %w: memref<8x3xf32>) {
  // expected-error @+1 {{'mxfp4.top_k' op requires weights of shape 8x2 and element type 'f32', but got 'memref<8x3xf32>'}}
  mxfp4.top_k logits(%l : memref<8x6xf32>) scoring(sigmoid)
      outs(%ids, %w : !ids, memref<8x3xf32>)
  return
}

// -----

func.func @slots(%l: memref<8x2xf32>, %ids: memref<8x4xi32>, %w: memref<8x4xf32>) {
  // expected-error @+1 {{'mxfp4.top_k' op requires at most as many slots as experts, 2, but got 4}}
  mxfp4.top_k logits(%l : memref<8x2xf32>) scoring(sigmoid)
      outs(%ids, %w : memref<8x4xi32>, memref<8x4xf32>)
  return
}

// -----

func.func @no_slots(%l: memref<8x2xf32>, %ids: memref<8x0xi32>, %w: memref<8x0xf32>) {
  // expected-error @+1 {{'mxfp4.top_k' op requires at least one slot, but got 0}}
  mxfp4.top_k logits(%l : memref<8x2xf32>) scoring(sigmoid)
      outs(%ids, %w : memref<8x0xi32>, memref<8x0xf32>)
  return
}

// -----

!ids = memref<8x2xi32>
!weights = memref<8x2xf32>
func.func @bias(%l: memref<8x6xf32>, %b: memref<5xf32>, %ids: !ids, %w: !weights) {
  // expected-error @+1 {{'mxfp4.top_k' op requires a bias of shape 6 and element type 'f32', but got 'memref<5xf32>'}}
  mxfp4.top_k logits(%l : memref<8x6xf32>) bias(%b : memref<5xf32>) scoring(sigmoid)
      outs(%ids, %w : !ids, !weights)
  return
}

// -----

!ids = memref<8x2xi32>
!weights = memref<8x2xf32>
func.func @counts(%l: memref<8x6xf32>, %c: memref<64x6xi32>, %ids: !ids, %w: !weights) {
  // expected-error @+1 {{'mxfp4.top_k' op requires counts of shape 128x6 and element type 'i32', but got 'memref<64x6xi32>'}}
  mxfp4.top_k logits(%l : memref<8x6xf32>) scoring(sigmoid)
      outs(%ids, %w : !ids, !weights) counts(%c : memref<64x6xi32>)
  return
}

// -----

!ids = memref<8x2xi32>
!weights = memref<8x2xf32>
func.func @scale(%l: memref<8x6xf32>, %ids: !ids, %w: !weights) {
  // expected-error @+1 {{'mxfp4.top_k' op requires a finite scale, but got 0x7F800000 : f32}}
  mxfp4.top_k logits(%l : memref<8x6xf32>) scoring(sigmoid)
      outs(%ids, %w : !ids, !weights) {scale = 0x7F800000 : f32}
  return
}

// -----

!ids = memref<8x2xi32>
!weights = memref<8x2xf32>
func.func @scoring(%l: memref<8x6xf32>, %ids: !ids, %w: !weights) {
  // expected-error @+1 {{expected a scoring, 'softmax', 'softmax_selected', 'sigmoid' or 'sqrt_softplus', got 'tanh'}}
  mxfp4.top_k logits(%l : memref<8x6xf32>) scoring(tanh) outs(%ids, %w : !ids, !weights)
  return
}

// -----

func.func @mixed(%l: memref<8x6xf32>, %ids: tensor<8x2xi32>, %w: tensor<8x2xf32>) {
  // expected-error @+1 {{'mxfp4.top_k' op requires all operands to be tensors or all to be memrefs, but got 'memref<8x6xf32>' and 'tensor<8x2xi32>'}}
  %i, %v = mxfp4.top_k logits(%l : memref<8x6xf32>) scoring(sigmoid)
      outs(%ids, %w : tensor<8x2xi32>, tensor<8x2xf32>) -> tensor<8x2xi32>, tensor<8x2xf32>
  return
}

// -----

!ids = memref<8x2xi32>
func.func @tokens(%ids: !ids, %o: memref<7xi32>, %t: memref<8xi32>) {
  // expected-error @+1 {{'mxfp4.sort_by_expert' op requires tokens of shape 16 and element type 'i32', but got 'memref<8xi32>'}}
  mxfp4.sort_by_expert ids(%ids : !ids) outs(%o, %t, %ids : memref<7xi32>, memref<8xi32>, !ids)
  return
}

// -----

!ids = memref<8x2xi32>
func.func @positions(%ids: !ids, %o: memref<7xi32>, %t: memref<16xi32>, %p: memref<8x3xi32>) {
  // expected-error @+1 {{'mxfp4.sort_by_expert' op requires positions of shape 8x2 and element type 'i32', but got 'memref<8x3xi32>'}}
  mxfp4.sort_by_expert ids(%ids : !ids)
      outs(%o, %t, %p : memref<7xi32>, memref<16xi32>, memref<8x3xi32>)
  return
}

// -----

!ids = memref<8x2xi32>
func.func @no_experts(%ids: !ids, %o: memref<1xi32>, %t: memref<16xi32>) {
  // expected-error @+1 {{'mxfp4.sort_by_expert' op requires at least one expert, but got 0}}
  mxfp4.sort_by_expert ids(%ids : !ids) outs(%o, %t, %ids : memref<1xi32>, memref<16xi32>, !ids)
  return
}

// -----

!ids = memref<8x2xi32>
func.func @error(%ids: !ids, %o: memref<7xi32>, %t: memref<16xi32>, %e: memref<2xi32>) {
  // expected-error @+1 {{'mxfp4.sort_by_expert' op requires an error word of shape 1 and element type 'i32', but got 'memref<2xi32>'}}
  mxfp4.sort_by_expert ids(%ids : !ids)
      outs(%o, %t, %ids : memref<7xi32>, memref<16xi32>, !ids) error(%e : memref<2xi32>)
  return
}

// -----

func.func @rows(%y: memref<15x64xbf16>, %p: memref<8x2xi32>, %w: memref<8x2xf32>,
                %out: memref<8x64xbf16>) {
  // expected-error @+1 {{'mxfp4.combine' op requires rows of shape 16x64 and element type 'bf16', but got 'memref<15x64xbf16>'}}
  mxfp4.combine rows(%y : memref<15x64xbf16>) positions(%p : memref<8x2xi32>)
      weights(%w : memref<8x2xf32>) outs(%out : memref<8x64xbf16>)
  return
}

// -----

func.func @output(%y: memref<16x64xbf16>, %p: memref<8x2xi32>, %w: memref<8x2xf32>,
                  %out: memref<8x64xi32>) {
  // expected-error @+1 {{'mxfp4.combine' op requires an output of rank 2 and element type bf16 or f32, but got 'memref<8x64xi32>'}}
  mxfp4.combine rows(%y : memref<16x64xbf16>) positions(%p : memref<8x2xi32>)
      weights(%w : memref<8x2xf32>) outs(%out : memref<8x64xi32>)
  return
}

// -----

func.func @results(%y: tensor<16x64xbf16>, %p: tensor<8x2xi32>, %w: tensor<8x2xf32>,
                   %out: tensor<8x64xbf16>) {
  // expected-error @+1 {{'mxfp4.combine' op requires 1 results with tensor operands, but has 0}}
  mxfp4.combine rows(%y : tensor<16x64xbf16>) positions(%p : tensor<8x2xi32>)
      weights(%w : tensor<8x2xf32>) outs(%out : tensor<8x64xbf16>)
  return
}

// -----

func.func @counts(%ids: memref<8x2xi32>, %c: memref<127x6xi32>) {
  // expected-error @+1 {{'mxfp4.count_by_expert' op requires counts of shape 128x? and element type 'i32', but got 'memref<127x6xi32>'}}
  mxfp4.count_by_expert ids(%ids : memref<8x2xi32>) outs(%c : memref<127x6xi32>)
  return
}

// -----

func.func @counted_ids(%ids: memref<8x2xi64>, %c: memref<128x6xi32>) {
  // expected-error @+1 {{'mxfp4.count_by_expert' op requires ids of shape ?x? and element type 'i32', but got 'memref<8x2xi64>'}}
  mxfp4.count_by_expert ids(%ids : memref<8x2xi64>) outs(%c : memref<128x6xi32>)
  return
}

// -----

func.func @counts_of_nobody(%ids: memref<8x2xi32>, %c: memref<128x0xi32>) {
  // expected-error @+1 {{'mxfp4.count_by_expert' op requires at least one expert, but got 0}}
  mxfp4.count_by_expert ids(%ids : memref<8x2xi32>) outs(%c : memref<128x0xi32>)
  return
}

// -----

func.func @no_slots(%ids: memref<8x0xi32>, %c: memref<128x6xi32>) {
  // expected-error @+1 {{'mxfp4.count_by_expert' op requires at least one slot, but got 0}}
  mxfp4.count_by_expert ids(%ids : memref<8x0xi32>) outs(%c : memref<128x6xi32>)
  return
}

// -----

func.func @values_to_round(%x: memref<8x64xf32>, %q: memref<8x64xf8E4M3FN>, %s: memref<8xf32>) {
  // expected-error @+1 {{'mxfp4.quantize_rows' op requires values of shape ?x? and element type 'bf16', but got 'memref<8x64xf32>'}}
  mxfp4.quantize_rows values(%x : memref<8x64xf32>)
      outs(%q, %s : memref<8x64xf8E4M3FN>, memref<8xf32>)
  return
}

// -----

func.func @codes_of_another_type(%x: memref<8x64xbf16>, %q: memref<8x64xf8E5M2>, %s: memref<8xf32>) {
  // expected-error @+1 {{'mxfp4.quantize_rows' op requires codes of shape 8x64 and element type 'f8E4M3FN', but got 'memref<8x64xf8E5M2>'}}
  mxfp4.quantize_rows values(%x : memref<8x64xbf16>)
      outs(%q, %s : memref<8x64xf8E5M2>, memref<8xf32>)
  return
}

// -----

func.func @codes_of_other_rows(%x: memref<8x64xbf16>, %g: memref<7xi32>, %q: memref<8x64xf8E4M3FN>, %s: memref<8xf32>) {
  // expected-error @+1 {{'mxfp4.quantize_rows' op requires codes of shape 7x64 and element type 'f8E4M3FN', but got 'memref<8x64xf8E4M3FN>'}}
  mxfp4.quantize_rows values(%x : memref<8x64xbf16>) gather(%g : memref<7xi32>)
      outs(%q, %s : memref<8x64xf8E4M3FN>, memref<8xf32>)
  return
}

// -----

func.func @rows_to_gather(%x: memref<8x64xbf16>, %g: memref<8xi64>, %q: memref<8x64xf8E4M3FN>, %s: memref<8xf32>) {
  // expected-error @+1 {{'mxfp4.quantize_rows' op requires rows to gather of shape ? and element type 'i32', but got 'memref<8xi64>'}}
  mxfp4.quantize_rows values(%x : memref<8x64xbf16>) gather(%g : memref<8xi64>)
      outs(%q, %s : memref<8x64xf8E4M3FN>, memref<8xf32>)
  return
}

// -----

func.func @scales_of_other_rows(%x: memref<8x64xbf16>, %q: memref<8x64xf8E4M3FN>, %s: memref<7xf32>) {
  // expected-error @+1 {{'mxfp4.quantize_rows' op requires scales of shape 8 and element type 'f32', but got 'memref<7xf32>'}}
  mxfp4.quantize_rows values(%x : memref<8x64xbf16>)
      outs(%q, %s : memref<8x64xf8E4M3FN>, memref<7xf32>)
  return
}

// -----

func.func @no_columns(%x: memref<8x0xbf16>, %q: memref<8x0xf8E4M3FN>, %s: memref<8xf32>) {
  // expected-error @+1 {{'mxfp4.quantize_rows' op requires at least one column, but got 0}}
  mxfp4.quantize_rows values(%x : memref<8x0xbf16>)
      outs(%q, %s : memref<8x0xf8E4M3FN>, memref<8xf32>)
  return
}

// -----

func.func @one_result(%x: tensor<8x64xbf16>, %q: tensor<8x64xf8E4M3FN>, %s: tensor<8xf32>) {
  // expected-error @+1 {{'mxfp4.quantize_rows' op requires 2 results with tensor operands, but has 1}}
  %r = mxfp4.quantize_rows values(%x : tensor<8x64xbf16>)
      outs(%q, %s : tensor<8x64xf8E4M3FN>, tensor<8xf32>) -> tensor<8x64xf8E4M3FN>
  return
}

// -----

func.func @dispatched_values(%x: memref<8x64xi32>, %p: memref<8x2xi32>, %r: memref<16x64xi32>) {
  // expected-error @+1 {{'mxfp4.dispatch' op requires values of rank 2 and element type bf16 or f32, but got 'memref<8x64xi32>'}}
  mxfp4.dispatch values(%x : memref<8x64xi32>) positions(%p : memref<8x2xi32>)
      outs(%r : memref<16x64xi32>)
  return
}

// -----

func.func @dispatched_positions(%x: memref<8x64xf32>, %p: memref<7x2xi32>, %r: memref<14x64xf32>) {
  // expected-error @+1 {{'mxfp4.dispatch' op requires positions of shape 8x? and element type 'i32', but got 'memref<7x2xi32>'}}
  mxfp4.dispatch values(%x : memref<8x64xf32>) positions(%p : memref<7x2xi32>)
      outs(%r : memref<14x64xf32>)
  return
}

// -----

func.func @dispatched_rows(%x: memref<8x64xf32>, %p: memref<8x2xi32>, %r: memref<16x64xbf16>) {
  // expected-error @+1 {{'mxfp4.dispatch' op requires an output of shape 16x64 and element type 'f32', but got 'memref<16x64xbf16>'}}
  mxfp4.dispatch values(%x : memref<8x64xf32>) positions(%p : memref<8x2xi32>)
      outs(%r : memref<16x64xbf16>)
  return
}

// -----

func.func @both(%x: memref<8x64xbf16>, %g: memref<8xi32>, %p: memref<8x2xi32>,
                %q: memref<16x64xf8E4M3FN>, %s: memref<16xf32>) {
  // expected-error @+1 {{'mxfp4.quantize_rows' op takes rows to gather, to scatter, or to scatter scales to, but got two of them}}
  mxfp4.quantize_rows values(%x : memref<8x64xbf16>) gather(%g : memref<8xi32>)
      scatter(%p : memref<8x2xi32>) outs(%q, %s : memref<16x64xf8E4M3FN>, memref<16xf32>)
  return
}

// -----

func.func @scattered_twice(%x: memref<8x64xbf16>, %p: memref<8x2xi32>,
                           %q: memref<16x64xf8E4M3FN>, %s: memref<16xf32>) {
  // expected-error @+1 {{'mxfp4.quantize_rows' op takes rows to gather, to scatter, or to scatter scales to, but got two of them}}
  mxfp4.quantize_rows values(%x : memref<8x64xbf16>) scatter(%p : memref<8x2xi32>)
      scatter_scales(%p : memref<8x2xi32>)
      outs(%q, %s : memref<16x64xf8E4M3FN>, memref<16xf32>)
  return
}

// -----

func.func @scales_of_tokens(%x: memref<8x64xbf16>, %p: memref<8x2xi32>,
                            %q: memref<8x64xf8E4M3FN>, %s: memref<8xf32>) {
  // expected-error @+1 {{'mxfp4.quantize_rows' op requires scales of shape 16 and element type 'f32', but got 'memref<8xf32>'}}
  mxfp4.quantize_rows values(%x : memref<8x64xbf16>) scatter_scales(%p : memref<8x2xi32>)
      outs(%q, %s : memref<8x64xf8E4M3FN>, memref<8xf32>)
  return
}

// -----

func.func @codes_of_slots(%x: memref<8x64xbf16>, %p: memref<8x2xi32>,
                          %q: memref<16x64xf8E4M3FN>, %s: memref<16xf32>) {
  // expected-error @+1 {{'mxfp4.quantize_rows' op requires codes of shape 8x64 and element type 'f8E4M3FN', but got 'memref<16x64xf8E4M3FN>'}}
  mxfp4.quantize_rows values(%x : memref<8x64xbf16>) scatter_scales(%p : memref<8x2xi32>)
      outs(%q, %s : memref<16x64xf8E4M3FN>, memref<16xf32>)
  return
}

// -----

func.func @scattered_codes(%x: memref<8x64xbf16>, %p: memref<8x2xi32>,
                           %q: memref<8x64xf8E4M3FN>, %s: memref<8xf32>) {
  // expected-error @+1 {{'mxfp4.quantize_rows' op requires codes of shape 16x64 and element type 'f8E4M3FN', but got 'memref<8x64xf8E4M3FN>'}}
  mxfp4.quantize_rows values(%x : memref<8x64xbf16>) scatter(%p : memref<8x2xi32>)
      outs(%q, %s : memref<8x64xf8E4M3FN>, memref<8xf32>)
  return
}

// -----

func.func @no_slots(%x: memref<8x64xbf16>, %p: memref<8x0xi32>,
                    %q: memref<0x64xf8E4M3FN>, %s: memref<0xf32>) {
  // expected-error @+1 {{'mxfp4.quantize_rows' op requires at least one slot, but got 0}}
  mxfp4.quantize_rows values(%x : memref<8x64xbf16>) scatter(%p : memref<8x0xi32>)
      outs(%q, %s : memref<0x64xf8E4M3FN>, memref<0xf32>)
  return
}

// -----

func.func @scattered_rows(%x: memref<8x64xbf16>, %p: memref<7x2xi32>,
                          %q: memref<14x64xf8E4M3FN>, %s: memref<14xf32>) {
  // expected-error @+1 {{'mxfp4.quantize_rows' op requires rows to scatter of shape 8x? and element type 'i32', but got 'memref<7x2xi32>'}}
  mxfp4.quantize_rows values(%x : memref<8x64xbf16>) scatter(%p : memref<7x2xi32>)
      outs(%q, %s : memref<14x64xf8E4M3FN>, memref<14xf32>)
  return
}
