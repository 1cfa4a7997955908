// Two of eight experts for each token, and the rows of all tokens by expert.
func.func @route(%logits: memref<?x8xf32>, %ids: memref<?x2xi32>,
    %weights: memref<?x2xf32>, %offsets: memref<9xi32>, %tokens: memref<?xi32>,
    %positions: memref<?x2xi32>, %error: memref<1xi32>) {
  mxfp4.top_k logits(%logits : memref<?x8xf32>) scoring(softmax_selected)
      outs(%ids, %weights : memref<?x2xi32>, memref<?x2xf32>)
  mxfp4.sort_by_expert ids(%ids : memref<?x2xi32>)
      outs(%offsets, %tokens, %positions
           : memref<9xi32>, memref<?xi32>, memref<?x2xi32>)
      error(%error : memref<1xi32>)
  return
}
