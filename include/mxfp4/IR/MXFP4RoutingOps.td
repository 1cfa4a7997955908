//===- MXFP4RoutingOps.td - Tokens and their experts -------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a mixture-of-experts layer does before its grouped matmuls: choose
// experts, and sort tokens by expert. Rows that follow are in MXFP4RowOps.td.
// Included by MXFP4Ops.td.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_MXFP4ROUTINGOPS
#define MXFP4_IR_MXFP4ROUTINGOPS

include "mlir/IR/EnumAttr.td"

def MXFP4_Scoring : I32EnumAttr<"Scoring", "From logits to scores", [
    I32EnumAttrCase<"Softmax", 0, "softmax">,
    I32EnumAttrCase<"SoftmaxSelected", 1, "softmax_selected">,
    I32EnumAttrCase<"Sigmoid", 2, "sigmoid">,
    I32EnumAttrCase<"SqrtSoftplus", 3, "sqrt_softplus">]> {
  let cppNamespace = "::mxfp4";
  let genSpecializedAttr = 0;
}

def MXFP4_ScoringAttr : EnumAttr<MXFP4_Dialect, MXFP4_Scoring, "scoring">;

def MXFP4_TopKOp : MXFP4_DestinationOp<"top_k", [AttrSizedOperandSegments]> {
  let summary = "The experts of each token, and their weights";
  let description = [{
    Chooses S of E experts for each of T tokens by the router's logits. Scores
    are functions of the logits l of a token:
    - `softmax`: `exp(l_e - max l) / sum exp(l - max l)`, over all experts;
    - `softmax_selected`: the same over the selected experts alone (gpt-oss);
    - `sigmoid`: `1 / (1 + exp(-l_e))`;
    - `sqrt_softplus`: `sqrt(log(1 + exp(l_e)))`.

    The experts with the greatest logits are selected. With a `bias` those with
    the greatest `score + bias[e]` are, where the score of `softmax_selected` is
    the logit. The slots of a token are in descending order of what was compared;
    of equal experts the lower comes first, and NaN ranks behind everything else.

    Weights are the scores of the selected experts, without bias; with
    `renormalize` over their sum, if that is not 0; times `scale`. NaN and
    infinities propagate as in IEEE 754. All arithmetic is in f32; sums have a
    fixed order, which each lowering documents.

    Shapes:
    - logits: `T x E` bf16 or f32; bias: `E` f32;
    - ids: `T x S` i32, 1 <= S <= E; weights: `T x S` f32;
    - counts (memref form only): `128 x E` i32. Tokens are divided into blocks of
      `32 * ceil(T / 4096)`; `counts[b, e]` becomes the number of slots with expert
      e in block b. Lines of blocks without tokens are not written. With
      them, `mxfp4.sort_by_expert` can run on many SMs.

    Example:

    ```mlir
    %ids, %weights = mxfp4.top_k logits(%l : tensor<?x128xbf16>)
        scoring(softmax_selected)
        outs(%ii, %wi : tensor<?x4xi32>, tensor<?x4xf32>)
        -> tensor<?x4xi32>, tensor<?x4xf32>
    ```
  }];
  let arguments = (ins
    Shaped:$logits,
    Optional<Shaped>:$bias,
    Shaped:$ids,
    Shaped:$weights,
    Optional<AnyStridedMemRef>:$counts,
    MXFP4_ScoringAttr:$scoring,
    UnitAttr:$renormalize,
    DefaultValuedAttr<F32Attr, "1.0f">:$scale
  );
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `logits` `(` $logits `:` type($logits) `)`
    (`bias` `(` $bias^ `:` type($bias) `)`)?
    `scoring` `(` custom<Scoring>($scoring) `)`
    `outs` `(` $ids `,` $weights `:` type($ids) `,` type($weights) `)`
    (`counts` `(` $counts^ `:` type($counts) `)`)?
    attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    /// Lines of `counts`, and tokens of a block while these suffice.
    static constexpr int64_t kBlocks = 128, kBlockTokens = 32;
    /// Sizes as far as they are static (ShapedType::kDynamic otherwise).
    int64_t getNumExperts() {
      return ::llvm::cast<::mlir::ShapedType>(getLogits().getType())
          .getDimSize(1);
    }
    int64_t getSlots() {
      return ::llvm::cast<::mlir::ShapedType>(getIds().getType())
          .getDimSize(1);
    }
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(getOperation(),
                                         getBias() ? 2 : 1, /*length=*/2);
    }
  }];
}

def MXFP4_CountByExpertOp : MXFP4_Op<"count_by_expert",
    [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "How many slots of each block of tokens an expert has";
  let description = [{
    Counts the ids that an engine brings, as `mxfp4.top_k` counts the ids that it
    makes: `counts[b, e]` becomes the number of slots with expert e in block b, for
    blocks of `32 * ceil(T / 4096)` tokens. Ids outside of 0 .. E-1 are not counted.
    Lines of blocks without tokens are not written. With the counts,
    `mxfp4.sort_by_expert` can run on many SMs.

    Shapes, with T tokens of S slots and E experts, memrefs:
    - ids: `T x S` i32; counts: `128 x E` i32.

    Example:

    ```mlir
    mxfp4.count_by_expert ids(%ids : memref<?x4xi32>)
        outs(%counts : memref<128x32xi32>)
    mxfp4.sort_by_expert ids(%ids : memref<?x4xi32>)
        counts(%counts : memref<128x32xi32>)
        outs(%o, %t, %p : memref<33xi32>, memref<?xi32>, memref<?x4xi32>)
    ```
  }];
  let arguments = (ins AnyStridedMemRef:$ids, AnyStridedMemRef:$counts);
  let assemblyFormat = [{
    `ids` `(` $ids `:` type($ids) `)` `outs` `(` $counts `:` type($counts) `)`
    attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Sizes as far as they are static (ShapedType::kDynamic otherwise).
    int64_t getNumExperts() {
      return ::llvm::cast<::mlir::ShapedType>(getCounts().getType())
          .getDimSize(1);
    }
    int64_t getSlots() {
      return ::llvm::cast<::mlir::ShapedType>(getIds().getType())
          .getDimSize(1);
    }
  }];
}

def MXFP4_SortByExpertOp : MXFP4_DestinationOp<"sort_by_expert",
    [AttrSizedOperandSegments]> {
  let summary = "The rows of each expert";
  let description = [{
    A stable counting sort of the slots of all tokens by expert, as the grouped
    matmuls want their rows. Row r is a slot of token `tokens[r]`. The rows of
    expert e are `offsets[e] .. offsets[e+1]-1`, in the order of (token, slot);
    `positions[t, s]` is the row of slot s of token t. A slot with id -1 has
    no row (an expert that lives elsewhere): its position is -1, and `offsets[E]`,
    the number of rows in use, is less than R. Rows that are not in use have
    token 0.

    Shapes, with T tokens, S slots each, and R = T * S:
    - ids: `T x S` i32, from -1 to E-1;
    - counts (memref form only): what `mxfp4.top_k` or `mxfp4.count_by_expert`
      has counted of these ids;
    - offsets: `E+1` i32; tokens: `R` i32; positions: `T x S` i32;
    - error (memref form only): 1 i32. For an id outside -1 .. E-1, which counts
      as -1, a kernel ORs 2 into it, and 4 where counts of other ids give a slot a
      row outside of 0 .. R-1: the slot then has none, and position -1;
    - zeros (memref form only): `E` i32, which become zeros: counts that kernels behind this one
      raise (`stored` of `mxfp4.grouped_matmul`).

    Example:

    ```mlir
    %o, %t, %p = mxfp4.sort_by_expert ids(%ids : tensor<64x4xi32>)
        outs(%oi, %ti, %pi : tensor<33xi32>, tensor<256xi32>, tensor<64x4xi32>)
        -> tensor<33xi32>, tensor<256xi32>, tensor<64x4xi32>
    ```
  }];
  let arguments = (ins
    Shaped:$ids,
    Optional<AnyStridedMemRef>:$counts,
    Shaped:$offsets,
    Shaped:$tokens,
    Shaped:$positions,
    Optional<AnyStridedMemRef>:$error,
    Optional<AnyStridedMemRef>:$zeros
  );
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `ids` `(` $ids `:` type($ids) `)`
    (`counts` `(` $counts^ `:` type($counts) `)`)?
    `outs` `(` $offsets `,` $tokens `,` $positions `:`
               type($offsets) `,` type($tokens) `,` type($positions) `)`
    (`zeros` `(` $zeros^ `:` type($zeros) `)`)?
    (`error` `(` $error^ `:` type($error) `)`)?
    attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    /// Sizes as far as they are static (ShapedType::kDynamic otherwise).
    int64_t getNumExperts() {
      const int64_t size =
          ::llvm::cast<::mlir::ShapedType>(getOffsets().getType())
              .getDimSize(0);
      return ::mlir::ShapedType::isDynamic(size) ? size : size - 1;
    }
    int64_t getSlots() {
      return ::llvm::cast<::mlir::ShapedType>(getIds().getType())
          .getDimSize(1);
    }
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(getOperation(),
                                         getCounts() ? 2 : 1, /*length=*/3);
    }
  }];
}

#endif // MXFP4_IR_MXFP4ROUTINGOPS
