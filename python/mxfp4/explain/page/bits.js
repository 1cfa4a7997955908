// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Words of 32 bits as strips, most significant bit first.

const ROLES = ["m", "e", "e", "s"]; // of a code's bits, least first: mantissa, exponent, sign

/** What bit b of a word of codes is: {slot, role}, or null. */
function codeRole(block, b) {
  for (let slot = 0; slot < block.code_bits.length; ++slot) {
    const bit = block.code_bits[slot].indexOf(b);
    if (bit >= 0) return { slot, role: ROLES[bit] };
  }
  return null;
}

/** A strip of 32 cells; `paint(bit)` gives {fill: class, text, now}. Folded: the halves in two rows, numbered. */
function strip(name, paint, folded = false) {
  const size = folded ? 18 : 15, height = size + 3, row = height + 18, cells = [];
  for (let bit = 31; bit >= 0; --bit) {
    const low = bit < 16;
    const x = folded ? (15 - (bit & 15)) * size + 2 : (31 - bit) * size + (low ? 6 : 0), y = folded ? (low ? row : 0) + 2 : 0;
    const { fill: kind, text, now } = paint(bit);
    cells.push(svg("rect", { x, y, width: size - 1, height, rx: 2, class: `${kind} ${now ? "cell now" : ""}` }, svg("title", {}, `bit ${bit}`)));
    if (text) cells.push(svg("text", { x: x + size / 2 - 0.5, y: y + height / 2 + 3.5, class: "tag" }, text));
    if (folded) cells.push(svg("text", { x: x + size / 2 - 0.5, y: y + height + 11, class: "axis", "text-anchor": "middle", style: "font-size:9px" }, String(bit)));
  }
  return folded ? picture(16 * size + 4, 2 * row, name, cells) : picture(32 * size + 6, height, name, cells);
}

/** Where the bits of a value come from: -1 nowhere, 0.. codes, 32.. scales. */
function originStrip(block, origins, name) {
  return strip(name, (bit) => {
    const from = origins[bit];
    if (from < 0) return { fill: "none" };
    if (from >= 32) return { fill: `scale${(from - 32) >> 3}`, text: String((from - 32) & 7) };
    const role = codeRole(block, from);
    return role ? { fill: `slot${role.slot}`, text: role.role } : { fill: "none", text: "?" };
  });
}

/** Two bf16 in a register, each the weight of a slot; for null `text` says what it is. */
function pairStrip(low, high, width = 486, text = "") {
  const each = (width - 8) / 2;
  const half = (x, slot) => [
    svg("rect", { x, y: 0, width: each, height: 18, rx: 2, class: slot === null ? "none" : `slot${slot}` }),
    svg("text", { x: x + each / 2, y: 13, class: "tag" }, slot === null ? text : `bf16 of slot ${slot}`),
  ];
  return picture(width, 18, "two bf16 values", half(0, high), half(each + 8, low));
}
