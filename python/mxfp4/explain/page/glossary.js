// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Words that the page uses and that are this project's own, or mean something particular in it.

const GLOSSARY = {
  block: "64 × 64 weights in 2176 bytes: 2048 bytes of codes, then 128 bytes of scales. Packed weights are a grid of blocks, because one layout then serves every tile and every number of warps.",
  code: "A 4-bit floating-point weight (E2M1): a sign, two bits of exponent, one of mantissa.",
  scale: "One byte (E8M0), a power of two, that 32 neighbouring codes along K share.",
  slot: "The place of a code in a 32-bit word of eight codes: slot 2r + h is the weight that decoding puts into half h of A register r.",
  spread: "An order of the codes' bits in a word: bits lie where masks and few shifts bring two codes at a time to their places in a pair of bf16 values. The order that is chosen by default.",
  nibble: "An order of the codes' bits in a word: each code is four neighbouring bits. Easier to read, and slower to decode.",
  folded: "Scale bytes are stored with 126 added, so that one multiplication applies the scale and the exponent that placing a code's bits leaves out. It needs every scale byte to be at most 128; packing checks that.",
  raw: "Scale bytes are stored as they are in the checkpoint, for weights that do not fit folded ones. Decoding takes a second multiplication.",
  "k16 step": "16 of a block's 64 columns: what one tensor-core instruction multiplies. A thread holds one word of codes for each of a block's four steps.",
  fragment: "A thread's part of an operand of mma.sync or wgmma, in its registers.",
  tile: "The part of one group's output that a thread block (CTA) computes at a time: rows of the weights (N) by tokens.",
  stage: "A buffer in shared memory for one step of K. While one stage is multiplied, copies fill the others.",
  "K slice": "A part of K. Where tiles are few, several warpgroups of a CTA multiply one tile, each a slice of K, and add their sums at the end.",
  producer: "A warp that copies blocks and activations into stages by TMA, and does nothing else. It gives registers to the consumers.",
  consumer: "A warp that decodes and multiplies. Consumers take the registers that the producer gives up.",
};

/** A word that the glossary explains: a link there, with the explanation as its tooltip. */
const term = (name, text = name) => el("a", { class: "term", href: "#glossary", title: GLOSSARY[name] }, text);

section("glossary", "Glossary", {
  draw: () => [
    el("h1", {}, "Glossary"),
    el("p", { class: "lead" }, "Words that are this project's own, or mean something particular here."),
    el("dl", { class: "glossary" }, Object.entries(GLOSSARY).map(([name, text]) => [el("dt", { "data-term": name }, name), el("dd", {}, text)])),
  ],
});
