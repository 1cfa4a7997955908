// What the verifiers refuse of epilogues and maps of rows, of mxfp4.grouped_matmul and
// of the operations in kernels: every message.
//
// RUN: mxfp4-opt %s --split-input-file --verify-diagnostics

func.func @gather_0(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %g: memref<i32>) {
  // expected-error @below {{requires rows to gather of shape ? and element type 'i32', but got 'memref<i32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>) gather(%g : memref<i32>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
  return
}

// -----

func.func @gather_1(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %g: memref<7xi64>) {
  // expected-error @below {{requires rows to gather of shape ? and element type 'i32', but got 'memref<7xi64>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>) gather(%g : memref<7xi64>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
  return
}

// -----

func.func @gather_2(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %g: memref<7x1xi32>) {
  // expected-error @below {{requires rows to gather of shape ? and element type 'i32', but got 'memref<7x1xi32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>) gather(%g : memref<7x1xi32>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
  return
}

// -----

func.func @scatter_0(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %g: memref<i32>) {
  // expected-error @below {{requires rows to scatter to of shape ? and element type 'i32', but got 'memref<i32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>) scatter(%g : memref<i32>)
  return
}

// -----

func.func @scatter_1(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %g: memref<?xf32>) {
  // expected-error @below {{requires rows to scatter to of shape ? and element type 'i32', but got 'memref<?xf32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>) scatter(%g : memref<?xf32>)
  return
}

// -----

func.func @scatter_2(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %g: memref<?x1xi32>) {
  // expected-error @below {{requires rows to scatter to of shape ? and element type 'i32', but got 'memref<?x1xi32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>) scatter(%g : memref<?x1xi32>)
  return
}

// -----

func.func @scatter_rows(%x: memref<7x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %g: memref<8xi32>) {
  // expected-error @below {{requires rows to scatter to of shape 7 and element type 'i32', but got 'memref<8xi32>'}}
  mxfp4.grouped_matmul activations(%x : memref<7x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>) scatter(%g : memref<8xi32>)
  return
}

// -----

func.func @scatter_gathered(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %r: memref<7xi32>, %g: memref<8xi32>) {
  // expected-error @below {{requires rows to scatter to of shape 7 and element type 'i32', but got 'memref<8xi32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>) gather(%r : memref<7xi32>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>) scatter(%g : memref<8xi32>)
  return
}

// -----

func.func @output_rows(%x: memref<9x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<9x70xbf16>, %r: memref<7xi32>) {
  // expected-error @below {{requires as many output rows as rows to gather, 7, but got 9}}
  mxfp4.grouped_matmul activations(%x : memref<9x64xbf16>) gather(%r : memref<7xi32>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<9x70xbf16>)
  return
}

// -----

func.func @mixed_tensors(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %r: tensor<?xi32>) {
  // expected-error @below {{requires all operands to be tensors or all to be memrefs, but got 'tensor<?xi32>' and 'memref<?x70xbf16>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>) gather(%r : tensor<?xi32>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
  return
}

// -----

func.func @operand_0(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %b: memref<f16>) {
  // expected-error @below {{requires epilogue operands of element type bf16 or f32 that have one value (rank 0), one for each row (rank 1) or one for each expert and column (rank 2, 4x70), but operand 0 is 'memref<f16>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue(%b : memref<f16>) {
      ^bb0(%sum: f32, %c: f32):
        mxfp4.yield %c : f32
      }
  return
}

// -----

func.func @operand_1(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %b: memref<?xi32>) {
  // expected-error @below {{requires epilogue operands of element type bf16 or f32 that have one value (rank 0), one for each row (rank 1) or one for each expert and column (rank 2, 4x70), but operand 0 is 'memref<?xi32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue(%b : memref<?xi32>) {
      ^bb0(%sum: f32, %c: f32):
        mxfp4.yield %c : f32
      }
  return
}

// -----

func.func @operand_2(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %b: memref<4x70xf64>) {
  // expected-error @below {{requires epilogue operands of element type bf16 or f32 that have one value (rank 0), one for each row (rank 1) or one for each expert and column (rank 2, 4x70), but operand 0 is 'memref<4x70xf64>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue(%b : memref<4x70xf64>) {
      ^bb0(%sum: f32, %c: f32):
        mxfp4.yield %c : f32
      }
  return
}

// -----

func.func @operand_3(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %b: memref<4x71xf32>) {
  // expected-error @below {{requires epilogue operands of element type bf16 or f32 that have one value (rank 0), one for each row (rank 1) or one for each expert and column (rank 2, 4x70), but operand 0 is 'memref<4x71xf32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue(%b : memref<4x71xf32>) {
      ^bb0(%sum: f32, %c: f32):
        mxfp4.yield %c : f32
      }
  return
}

// -----

func.func @operand_4(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %b: memref<5x70xf32>) {
  // expected-error @below {{requires epilogue operands of element type bf16 or f32 that have one value (rank 0), one for each row (rank 1) or one for each expert and column (rank 2, 4x70), but operand 0 is 'memref<5x70xf32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue(%b : memref<5x70xf32>) {
      ^bb0(%sum: f32, %c: f32):
        mxfp4.yield %c : f32
      }
  return
}

// -----

func.func @operand_5(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %b: memref<1x4x70xf32>) {
  // expected-error @below {{requires epilogue operands of element type bf16 or f32 that have one value (rank 0), one for each row (rank 1) or one for each expert and column (rank 2, 4x70), but operand 0 is 'memref<1x4x70xf32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue(%b : memref<1x4x70xf32>) {
      ^bb0(%sum: f32, %c: f32):
        mxfp4.yield %c : f32
      }
  return
}

// -----

func.func @operand_rows(%x: memref<7x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %a: memref<7xf32>, %b: memref<8xf32>) {
  // expected-error @below {{requires epilogue operands of element type bf16 or f32 that have one value (rank 0), one for each row (rank 1, 7) or one for each expert and column (rank 2, 4x70), but operand 1 is 'memref<8xf32>'}}
  mxfp4.grouped_matmul activations(%x : memref<7x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue(%a, %b : memref<7xf32>, memref<8xf32>) {
      ^bb0(%sum: f32, %c: f32, %d: f32):
        mxfp4.yield %d : f32
      }
  return
}

// -----

func.func @operand_gathered_rows(%x: memref<9x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %r: memref<7xi32>, %b: memref<9xf32>) {
  // expected-error @below {{requires epilogue operands of element type bf16 or f32 that have one value (rank 0), one for each row (rank 1, 7) or one for each expert and column (rank 2, 4x70), but operand 0 is 'memref<9xf32>'}}
  mxfp4.grouped_matmul activations(%x : memref<9x64xbf16>) gather(%r : memref<7xi32>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue(%b : memref<9xf32>) {
      ^bb0(%sum: f32, %c: f32):
        mxfp4.yield %c : f32
      }
  return
}

// -----

func.func @operand_of_pairs(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x35xbf16>, %b: memref<4x35xf32>) {
  // expected-error @below {{requires epilogue operands of element type bf16 or f32 that have one value (rank 0), one for each row (rank 1) or one for each expert and column (rank 2, 4x70), but operand 0 is 'memref<4x35xf32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x35xbf16>)
      epilogue(%b : memref<4x35xf32>) {
      ^bb0(%g: f32, %u: f32, %c: f32, %d: f32):
        mxfp4.yield %g : f32
      }
  return
}

// -----

func.func @weights_of_pairs(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>) {
  // expected-error @below {{requires packed weights of shape 4x3x1 and element type '!mxfp4.block<spread, raw>', but got}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue {
      ^bb0(%g: f32, %u: f32):
        mxfp4.yield %g : f32
      }
  return
}

// -----

func.func @no_arguments(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %v: memref<f32>) {
  // expected-error @below {{requires f32 arguments of its epilogue, 1 (a sum, and a value of each operand) or on pairs of columns 2 (two of each that differ between them), but got arguments ()}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue {
        %c = arith.constant 1.0 : f32
        mxfp4.yield %c : f32
      }
  return
}

// -----

func.func @too_few_arguments(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %b: memref<4x70xf32>) {
  // expected-error @below {{requires f32 arguments of its epilogue, 2 (a sum, and a value of each operand) or on pairs of columns 4 (two of each that differ between them), but got arguments ('f32')}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue(%b : memref<4x70xf32>) {
      ^bb0(%sum: f32):
        mxfp4.yield %sum : f32
      }
  return
}

// -----

func.func @between_one_and_pairs(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %b: memref<4x70xf32>, %a: memref<?xf32>) {
  // expected-error @below {{requires f32 arguments of its epilogue, 3 (a sum, and a value of each operand) or on pairs of columns 5 (two of each that differ between them), but got arguments ('f32', 'f32', 'f32', 'f32')}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue(%b, %a : memref<4x70xf32>, memref<?xf32>) {
      ^bb0(%sum: f32, %c: f32, %d: f32, %e: f32):
        mxfp4.yield %sum : f32
      }
  return
}

// -----

func.func @bf16_argument(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %b: memref<bf16>) {
  // expected-error @below {{requires f32 arguments of its epilogue, 2 (a sum, and a value of each operand) or on pairs of columns 3 (two of each that differ between them), but got arguments ('f32', 'bf16')}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue(%b : memref<bf16>) {
      ^bb0(%sum: f32, %c: bf16):
        mxfp4.yield %sum : f32
      }
  return
}

// -----

func.func @yields_nothing(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>) {
  // expected-error @below {{requires its epilogue to end with mxfp4.yield of one f32, but yields ()}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue {
      ^bb0(%sum: f32):
        mxfp4.yield
      }
  return
}

// -----

func.func @yields_two(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>) {
  // expected-error @below {{requires its epilogue to end with mxfp4.yield of one f32, but yields ('f32', 'f32')}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue {
      ^bb0(%sum: f32):
        mxfp4.yield %sum, %sum : f32, f32
      }
  return
}

// -----

func.func @yields_bf16(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>) {
  // expected-error @below {{requires its epilogue to end with mxfp4.yield of one f32, but yields ('bf16')}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue {
      ^bb0(%sum: f32):
        %r = arith.truncf %sum : f32 to bf16
        mxfp4.yield %r : bf16
      }
  return
}

// -----

func.func @of_another_dialect(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>) {
  // expected-error @below {{requires operations of arith and math in its epilogue, on index, integers of 1 to 64 bits, f16, bf16, f32 and f64, but has memref.alloca}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue {
      ^bb0(%sum: f32):
        %m = memref.alloca() : memref<f32>
        mxfp4.yield %sum : f32
      }
  return
}

// -----

func.func @a_vector(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>) {
  // expected-error @below {{requires operations of arith and math in its epilogue, on index, integers of 1 to 64 bits, f16, bf16, f32 and f64, but has arith.constant}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue {
      ^bb0(%sum: f32):
        %v = arith.constant dense<1.0> : vector<4xf32>
        mxfp4.yield %sum : f32
      }
  return
}

// -----

func.func @a_wide_float(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>) {
  // expected-error @below {{requires operations of arith and math in its epilogue, on index, integers of 1 to 64 bits, f16, bf16, f32 and f64, but has arith.extf}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue {
      ^bb0(%sum: f32):
        %v = arith.extf %sum : f32 to f80
        mxfp4.yield %sum : f32
      }
  return
}

// -----

func.func @a_small_float(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>) {
  // expected-error @below {{requires operations of arith and math in its epilogue, on index, integers of 1 to 64 bits, f16, bf16, f32 and f64, but has arith.truncf}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue {
      ^bb0(%sum: f32):
        %v = arith.truncf %sum : f32 to f8E4M3FN
        mxfp4.yield %sum : f32
      }
  return
}

// -----

func.func @a_wide_integer(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>) {
  // expected-error @below {{requires operations of arith and math in its epilogue, on index, integers of 1 to 64 bits, f16, bf16, f32 and f64, but has arith.fptosi}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue {
      ^bb0(%sum: f32):
        %v = arith.fptosi %sum : f32 to i128
        mxfp4.yield %sum : f32
      }
  return
}

// -----

func.func @with_a_region(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %v: memref<f32>) {
  // expected-error @below {{requires operations of arith and math in its epilogue, on index, integers of 1 to 64 bits, f16, bf16, f32 and f64, but has scf.if}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue {
      ^bb0(%sum: f32):
        %t = arith.constant true
        scf.if %t {
        }
        mxfp4.yield %sum : f32
      }
  return
}

// -----

func.func @two_blocks(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>) {
  // expected-error @below {{region with 1 blocks}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue {
      ^bb0(%sum: f32):
        cf.br ^bb1
      ^bb1:
        mxfp4.yield %sum : f32
      }
  return
}

// -----

func.func @value_from_above(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %v: f32) {
  // expected-note @below {{required by region isolation constraints}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue {
      ^bb0(%sum: f32):
        // expected-error @below {{using value defined outside the region}}
        %r = arith.addf %sum, %v : f32
        mxfp4.yield %r : f32
      }
  return
}

// -----

func.func @operands_alone(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %f: memref<f32>) {
  // expected-error @below {{has epilogue operands, but no epilogue}}
  "mxfp4.grouped_matmul"(%x, %w, %o, %y, %f)
      <{operandSegmentSizes = array<i32: 1, 1, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0>}>
      : (memref<?x64xbf16>, memref<4x2x1x!mxfp4.block<spread, raw>>, memref<5xi32>, memref<?x70xbf16>, memref<f32>) -> ()
  return
}

// -----

func.func @two_epilogues(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %f: memref<f32>) {
  // expected-error @below {{requires one epilogue of one block, but has 2 with a first of 1 blocks}}
  "mxfp4.grouped_matmul"(%x, %w, %o, %y)
      <{operandSegmentSizes = array<i32: 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0>}> ({
      ^bb0(%sum: f32):
        mxfp4.yield %sum : f32
      }, {
      ^bb0(%sum: f32):
        mxfp4.yield %sum : f32
      })
      : (memref<?x64xbf16>, memref<4x2x1x!mxfp4.block<spread, raw>>, memref<5xi32>, memref<?x70xbf16>) -> ()
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

func.func @store_operand_0(%acc: vector<4x8x4xf32>, %y: memref<?x70xf32>, %i: index, %b: memref<4x70xf32, strided<[80, 1]>>) {
  // expected-error @below {{requires contiguous epilogue operands in global memory, but got 'memref<4x70xf32, strided<[80, 1]>>'}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) expert(%i)
      epilogue(%b : memref<4x70xf32, strided<[80, 1]>>) {
      ^bb0(%sum: f32, %c: f32):
        mxfp4.yield %c : f32
      } {schedule = #schedule}
      : vector<4x8x4xf32> to memref<?x70xf32>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

func.func @store_operand_1(%acc: vector<4x8x4xf32>, %y: memref<?x70xf32>, %i: index, %b: memref<4x70xf32, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires contiguous epilogue operands in global memory, but got 'memref<4x70xf32, #gpu.address_space<workgroup>>'}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) expert(%i)
      epilogue(%b : memref<4x70xf32, #gpu.address_space<workgroup>>) {
      ^bb0(%sum: f32, %c: f32):
        mxfp4.yield %c : f32
      } {schedule = #schedule}
      : vector<4x8x4xf32> to memref<?x70xf32>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

func.func @store_operand_2(%acc: vector<4x8x4xf32>, %y: memref<?x70xf32>, %i: index, %b: memref<f32, strided<[], offset: 3>>) {
  // expected-error @below {{requires contiguous epilogue operands in global memory, but got 'memref<f32, strided<[], offset: 3>>'}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) expert(%i)
      epilogue(%b : memref<f32, strided<[], offset: 3>>) {
      ^bb0(%sum: f32, %c: f32):
        mxfp4.yield %c : f32
      } {schedule = #schedule}
      : vector<4x8x4xf32> to memref<?x70xf32>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

func.func @store_operand_3(%acc: vector<4x8x4xf32>, %y: memref<?x70xf32>, %i: index, %b: memref<4x?xf32>) {
  // expected-error @below {{requires contiguous epilogue operands in global memory, but got 'memref<4x?xf32>'}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) expert(%i)
      epilogue(%b : memref<4x?xf32>) {
      ^bb0(%sum: f32, %c: f32):
        mxfp4.yield %c : f32
      } {schedule = #schedule}
      : vector<4x8x4xf32> to memref<?x70xf32>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

func.func @store_columns(%acc: vector<4x8x4xf32>, %y: memref<?x70xf32>, %i: index, %b: memref<4x71xf32>) {
  // expected-error @below {{requires epilogue operands of element type bf16 or f32 that have one value (rank 0), one for each row (rank 1) or one for each expert and column (rank 2), but operand 0 is 'memref<4x71xf32>'}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) expert(%i)
      epilogue(%b : memref<4x71xf32>) {
      ^bb0(%sum: f32, %c: f32):
        mxfp4.yield %c : f32
      } {schedule = #schedule}
      : vector<4x8x4xf32> to memref<?x70xf32>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

func.func @store_no_expert(%acc: vector<4x8x4xf32>, %y: memref<?x70xf32>, %i: index, %b: memref<4x70xf32>) {
  // expected-error @below {{requires the expert whose columns its epilogue has values for}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i)
      epilogue(%b : memref<4x70xf32>) {
      ^bb0(%sum: f32, %c: f32):
        mxfp4.yield %c : f32
      } {schedule = #schedule}
      : vector<4x8x4xf32> to memref<?x70xf32>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

func.func @store_or_none(%acc: vector<4x8x4xf32>, %y: memref<?x70xf32>, %i: index) {
  // expected-error @below {{requires the expert whose columns its epilogue has values for}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) or_none
      epilogue {
      ^bb0(%sum: f32):
        mxfp4.yield %sum : f32
      } {schedule = #schedule}
      : vector<4x8x4xf32> to memref<?x70xf32>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

func.func @store_scatter_0(%acc: vector<4x8x4xf32>, %y: memref<?x70xf32>, %i: index, %to: memref<?xi64>, %q: i32) {
  // expected-error @below {{requires rows to scatter to of rank 1 and element type i32 in global memory, but got 'memref<?xi64>'}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) scatter(%to : memref<?xi64>) limit(%q) {schedule = #schedule}
      : vector<4x8x4xf32> to memref<?x70xf32>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

func.func @store_scatter_1(%acc: vector<4x8x4xf32>, %y: memref<?x70xf32>, %i: index, %to: memref<?x1xi32>, %q: i32) {
  // expected-error @below {{requires rows to scatter to of rank 1 and element type i32 in global memory, but got 'memref<?x1xi32>'}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) scatter(%to : memref<?x1xi32>) limit(%q) {schedule = #schedule}
      : vector<4x8x4xf32> to memref<?x70xf32>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

func.func @store_scatter_2(%acc: vector<4x8x4xf32>, %y: memref<?x70xf32>, %i: index, %to: memref<?xi32, strided<[2]>>, %q: i32) {
  // expected-error @below {{requires rows to scatter to of rank 1 and element type i32 in global memory, but got 'memref<?xi32, strided<[2]>>'}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) scatter(%to : memref<?xi32, strided<[2]>>) limit(%q) {schedule = #schedule}
      : vector<4x8x4xf32> to memref<?x70xf32>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

func.func @store_scatter_3(%acc: vector<4x8x4xf32>, %y: memref<?x70xf32>, %i: index, %to: memref<8xi32, #gpu.address_space<workgroup>>, %q: i32) {
  // expected-error @below {{requires rows to scatter to of rank 1 and element type i32 in global memory, but got 'memref<8xi32, #gpu.address_space<workgroup>>'}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) scatter(%to : memref<8xi32, #gpu.address_space<workgroup>>) limit(%q) {schedule = #schedule}
      : vector<4x8x4xf32> to memref<?x70xf32>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

func.func @store_error(%acc: vector<4x8x4xf32>, %y: memref<?x70xf32>, %i: index, %e: memref<1xf32>) {
  // expected-error @below {{requires an error word of shape 1 and element type i32 in global memory, but got 'memref<1xf32>'}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) error(%e : memref<1xf32>) {schedule = #schedule}
      : vector<4x8x4xf32> to memref<?x70xf32>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

func.func @store_arguments(%acc: vector<4x8x4xf32>, %y: memref<?x70xf32>, %i: index) {
  // expected-error @below {{requires f32 arguments of its epilogue, 1 (a sum, and a value of each operand) or on pairs of columns 2 (two of each that differ between them), but got arguments ('f32', 'f32', 'f32')}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) epilogue {
      ^bb0(%a: f32, %b: f32, %c: f32):
        mxfp4.yield %a : f32
      } {schedule = #schedule}
      : vector<4x8x4xf32> to memref<?x70xf32>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

func.func @store_foreign(%acc: vector<4x8x4xf32>, %y: memref<?x70xf32>, %i: index) {
  // expected-error @below {{requires operations of arith and math in its epilogue, on index, integers of 1 to 64 bits, f16, bf16, f32 and f64, but has gpu.barrier}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) epilogue {
      ^bb0(%a: f32):
        gpu.barrier
        mxfp4.yield %a : f32
      } {schedule = #schedule}
      : vector<4x8x4xf32> to memref<?x70xf32>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

func.func @store_limit(%acc: vector<4x8x4xf32>, %y: memref<?x70xf32>, %i: index,
    %q: i32) {
  // expected-error @below {{requires rows to scatter to and the number of rows of the destination, or neither}}
  "mxfp4.store_tile"(%acc, %y, %i, %i, %i, %q) <{schedule = #schedule,
      operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 0, 0, 1, 0, 0, 0>}>
      : (vector<4x8x4xf32>, memref<?x70xf32>, index, index, index, i32) -> ()
  return
}

// -----

func.func @rows_map_0(%map: memref<?xi64>, %i: index, %q: i32) {
  // expected-error @below {{requires a map of rank 1 and element type i32 in global memory, but got 'memref<?xi64>'}}
  %r = mxfp4.load_rows %map[%i] valid(%i) limit(%q)
      : memref<?xi64> -> vector<1xi32>
  return
}

// -----

func.func @rows_map_1(%map: memref<?x4xi32>, %i: index, %q: i32) {
  // expected-error @below {{requires a map of rank 1 and element type i32 in global memory, but got 'memref<?x4xi32>'}}
  %r = mxfp4.load_rows %map[%i] valid(%i) limit(%q)
      : memref<?x4xi32> -> vector<1xi32>
  return
}

// -----

func.func @rows_map_2(%map: memref<?xi32, strided<[2]>>, %i: index, %q: i32) {
  // expected-error @below {{requires a map of rank 1 and element type i32 in global memory, but got 'memref<?xi32, strided<[2]>>'}}
  %r = mxfp4.load_rows %map[%i] valid(%i) limit(%q)
      : memref<?xi32, strided<[2]>> -> vector<1xi32>
  return
}

// -----

func.func @rows_map_3(%map: memref<8xi32, #gpu.address_space<workgroup>>, %i: index, %q: i32) {
  // expected-error @below {{requires a map of rank 1 and element type i32 in global memory, but got 'memref<8xi32, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.load_rows %map[%i] valid(%i) limit(%q)
      : memref<8xi32, #gpu.address_space<workgroup>> -> vector<1xi32>
  return
}

// -----

func.func @rows_error(%map: memref<?xi32>, %i: index, %q: i32, %e: memref<2xi32>) {
  // expected-error @below {{requires an error word of shape 1 and element type i32 in global memory, but got 'memref<2xi32>'}}
  %r = mxfp4.load_rows %map[%i] valid(%i) limit(%q) error(%e : memref<2xi32>)
      : memref<?xi32> -> vector<1xi32>
  return
}

// -----

func.func @rows_warps(%map: memref<?xi32>, %i: index, %q: i32) {
  // expected-error @below {{requires at least one warp, but got 0}}
  %r = mxfp4.load_rows %map[%i] valid(%i) limit(%q) warp(%i of 0)
      : memref<?xi32> -> vector<1xi32>
  return
}

// -----

func.func @rows_warp(%map: memref<?xi32>, %i: index, %q: i32) {
  // expected-error @below {{requires the number of the warp in its role and how many warps that has, or neither}}
  %r = "mxfp4.load_rows"(%map, %i, %i, %q)
      <{warps = 3, operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0>}>
      : (memref<?xi32>, index, index, i32) -> vector<1xi32>
  return
}

// -----

func.func @gather_source_0(%x: memref<?x96xf32>, %r: vector<1xi32>, %i: index,
    %s: memref<6x8x64xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a source of shape TxK, K a static multiple of 32, and element type bf16 or f8E4M3FN in global memory, but got 'memref<?x96xf32>'}}
  mxfp4.gather_activations %x[%r, %i] valid(%i) to %s[%i]
      : memref<?x96xf32>, vector<1xi32> to memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @gather_source_1(%x: memref<?x40xbf16>, %r: vector<1xi32>, %i: index,
    %s: memref<6x8x64xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a source of shape TxK, K a static multiple of 32, and element type bf16 or f8E4M3FN in global memory, but got 'memref<?x40xbf16>'}}
  mxfp4.gather_activations %x[%r, %i] valid(%i) to %s[%i]
      : memref<?x40xbf16>, vector<1xi32> to memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @gather_source_2(%x: memref<?x?xbf16>, %r: vector<1xi32>, %i: index,
    %s: memref<6x8x64xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a source of shape TxK, K a static multiple of 32, and element type bf16 or f8E4M3FN in global memory, but got 'memref<?x?xbf16>'}}
  mxfp4.gather_activations %x[%r, %i] valid(%i) to %s[%i]
      : memref<?x?xbf16>, vector<1xi32> to memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @gather_source_3(%x: memref<96xbf16>, %r: vector<1xi32>, %i: index,
    %s: memref<6x8x64xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a source of shape TxK, K a static multiple of 32, and element type bf16 or f8E4M3FN in global memory, but got 'memref<96xbf16>'}}
  mxfp4.gather_activations %x[%r, %i] valid(%i) to %s[%i]
      : memref<96xbf16>, vector<1xi32> to memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @gather_source_4(%x: memref<?x96xbf16, strided<[100, 1]>>, %r: vector<1xi32>, %i: index,
    %s: memref<6x8x64xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a source of shape TxK, K a static multiple of 32, and element type bf16 or f8E4M3FN in global memory, but got 'memref<?x96xbf16, strided<[100, 1]>>'}}
  mxfp4.gather_activations %x[%r, %i] valid(%i) to %s[%i]
      : memref<?x96xbf16, strided<[100, 1]>>, vector<1xi32> to memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @gather_source_5(%x: memref<8x96xbf16, #gpu.address_space<workgroup>>, %r: vector<1xi32>, %i: index,
    %s: memref<6x8x64xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a source of shape TxK, K a static multiple of 32, and element type bf16 or f8E4M3FN in global memory, but got 'memref<8x96xbf16, #gpu.address_space<workgroup>>'}}
  mxfp4.gather_activations %x[%r, %i] valid(%i) to %s[%i]
      : memref<8x96xbf16, #gpu.address_space<workgroup>>, vector<1xi32> to memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @gather_stage(%x: memref<?x96xbf16>, %r: vector<1xi32>, %i: index,
    %s: memref<6x8x64xbf16>) {
  // expected-error @below {{requires staged activations of static shape stages x tokens x 64, tokens a multiple of 8, and element type bf16, or x 128 of f8E4M3FN, in shared memory, but got 'memref<6x8x64xbf16>'}}
  mxfp4.gather_activations %x[%r, %i] valid(%i) to %s[%i]
      : memref<?x96xbf16>, vector<1xi32> to memref<6x8x64xbf16>
  return
}

// -----

func.func @gather_elements(%x: memref<?x96xbf16>, %r: vector<5xi32>, %i: index,
    %s: memref<6x64x64xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires one row for every four of the 64 tokens that its warps share, but got 5 a thread}}
  mxfp4.gather_activations %x[%r, %i] valid(%i) to %s[%i] warp(%i of 3)
      : memref<?x96xbf16>, vector<5xi32> to memref<6x64x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @gather_warps(%x: memref<?x96xbf16>, %r: vector<1xi32>, %i: index,
    %s: memref<6x8x64xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires at least one warp, but got 0}}
  mxfp4.gather_activations %x[%r, %i] valid(%i) to %s[%i] warp(%i of 0)
      : memref<?x96xbf16>, vector<1xi32> to memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @gather_signal(%x: memref<?x96xbf16>, %r: vector<1xi32>, %i: index,
    %s: memref<6x8x64xbf16, #gpu.address_space<workgroup>>, %f: memref<6xi64, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires the warps of a role to signal a barrier}}
  mxfp4.gather_activations %x[%r, %i] valid(%i) to %s[%i] signal(%f : memref<6xi64, #gpu.address_space<workgroup>>)
      : memref<?x96xbf16>, vector<1xi32> to memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @gather_barriers_0(%x: memref<?x96xbf16>, %r: vector<1xi32>, %i: index,
    %s: memref<6x8x64xbf16, #gpu.address_space<workgroup>>, %f: memref<6xi64>) {
  // expected-error @below {{requires a barrier in shared memory for each of 6 stages, but got 'memref<6xi64>'}}
  mxfp4.gather_activations %x[%r, %i] valid(%i) to %s[%i] warp(%i of 2) signal(%f : memref<6xi64>)
      : memref<?x96xbf16>, vector<1xi32> to memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @gather_barriers_1(%x: memref<?x96xbf16>, %r: vector<1xi32>, %i: index,
    %s: memref<6x8x64xbf16, #gpu.address_space<workgroup>>, %f: memref<5xi64, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a barrier in shared memory for each of 6 stages, but got 'memref<5xi64, #gpu.address_space<workgroup>>'}}
  mxfp4.gather_activations %x[%r, %i] valid(%i) to %s[%i] warp(%i of 2) signal(%f : memref<5xi64, #gpu.address_space<workgroup>>)
      : memref<?x96xbf16>, vector<1xi32> to memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @gather_barriers_2(%x: memref<?x96xbf16>, %r: vector<1xi32>, %i: index,
    %s: memref<6x8x64xbf16, #gpu.address_space<workgroup>>, %f: memref<?xi64, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a barrier in shared memory for each of 6 stages, but got 'memref<?xi64, #gpu.address_space<workgroup>>'}}
  mxfp4.gather_activations %x[%r, %i] valid(%i) to %s[%i] warp(%i of 2) signal(%f : memref<?xi64, #gpu.address_space<workgroup>>)
      : memref<?x96xbf16>, vector<1xi32> to memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

// expected-error @below {{requires 2 to 64 slots, but got 65}}
func.func @fenced_slots(%r: !mxfp4.ring<65 fenced>)

// -----

// Gate and up that are not neighbours are no pairs.

func.func @columns_apart(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw, apart>>,
    %o: memref<5xi32>, %y: memref<?x35xbf16>) {
  // expected-error @below {{has an epilogue on pairs, which takes columns 2n and 2n + 1 for gate n and up n, but its weights are '!mxfp4.block<spread, raw, apart>', with gate and up apart; interleave their rows before they are packed, and pack them as interleaved}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw, apart>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x35xbf16>)
      epilogue {
      ^bb0(%g: f32, %u: f32):
        mxfp4.yield %g : f32
      }
  return
}

// -----

func.func @odd_columns(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw, interleaved>>,
    %o: memref<5xi32>, %y: memref<?x71xbf16>) {
  // expected-error @below {{requires an even N for weights whose gate and up are interleaved, but got 71}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw, interleaved>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x71xbf16>)
  return
}

// -----

func.func @odd_rows(%c: memref<1x65x2x16xi8>, %s: memref<1x65x2xi8>,
                    %w: memref<1x2x1x!mxfp4.block<spread, raw, apart>>) {
  // expected-error @below {{requires an even N for weights whose gate and up are apart, but got 65}}
  mxfp4.pack codes(%c : memref<1x65x2x16xi8>) scales(%s : memref<1x65x2xi8>)
      outs(%w : memref<1x2x1x!mxfp4.block<spread, raw, apart>>)
  return
}

// -----

// Packed one way and read the other way.

func.func @columns_differ(%c: tensor<1x64x2x16xi8>, %s: tensor<1x64x2xi8>,
                          %w: tensor<1x1x1x!mxfp4.block<spread, raw, interleaved>>)
    -> tensor<1x1x1x!mxfp4.block<spread, raw, apart>> {
  // expected-error @below {{result}}
  %p = mxfp4.pack codes(%c : tensor<1x64x2x16xi8>) scales(%s : tensor<1x64x2xi8>)
      outs(%w : tensor<1x1x1x!mxfp4.block<spread, raw, interleaved>>)
      -> tensor<1x1x1x!mxfp4.block<spread, raw, apart>>
  return %p : tensor<1x1x1x!mxfp4.block<spread, raw, apart>>
}

// -----

// What kernels and loops would compute otherwise, or not at all.

func.func @rounds_toward_zero(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>) {
  // expected-error @below {{has an epilogue that kernels cannot compute: kernels round to nearest even, and arith.truncf rounds toward_zero}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue {
      ^bb0(%sum: f32):
        %a = arith.truncf %sum to_nearest_even : f32 to bf16
        %b = arith.truncf %sum toward_zero : f32 to bf16
        %s = arith.addf %a, %b : bf16
        %r = arith.extf %s : bf16 to f32
        mxfp4.yield %r : f32
      }
  return
}

// -----

func.func @scaling(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>) {
  // expected-error @below {{has an epilogue that kernels cannot compute: kernels have no arith.scaling_truncf}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue {
      ^bb0(%sum: f32):
        %b = arith.scaling_truncf %sum, %sum : f32, f32 to bf16
        %r = arith.extf %b : bf16 to f32
        mxfp4.yield %r : f32
      }
  return
}

// -----

func.func @no_bits(%x: memref<?x64xbf16>, %w: memref<4x2x1x!mxfp4.block<spread, raw>>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>) {
  // expected-error @below {{requires operations of arith and math in its epilogue, on index, integers of 1 to 64 bits, f16, bf16, f32 and f64, but has arith.fptosi}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<4x2x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<5xi32>) outs(%y : memref<?x70xbf16>)
      epilogue {
      ^bb0(%sum: f32):
        %i = arith.fptosi %sum : f32 to i0
        %r = arith.sitofp %i : i0 to f32
        mxfp4.yield %r : f32
      }
  return
}
