// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The decode sequence, an instruction per row, with where every bit comes from.

let decodeStep = 0;

const SIGNS = { and: "&", or: "|", add: "+", shl: "<<", shr: ">>", rotl: "<<<", mul: "×", "mul.bf16x2": "×" };
const DISTANCES = ["shl", "shr", "rotl"];

function valueName(number) {
  return number === 0 ? "codes" : number === 1 ? "scales" : `v${number - 2}`;
}

function instructionText(inst, number) {
  if (inst.op === "splat") return `${valueName(number)} = ${inst.immediate ? "high" : "low"} half of ${valueName(inst.lhs)}, twice`;
  const right = inst.rhs === undefined ? (DISTANCES.includes(inst.op) ? String(inst.immediate) : `0x${hex(inst.immediate)}`) : valueName(inst.rhs);
  return `${valueName(number)} = ${valueName(inst.lhs)} ${SIGNS[inst.op]} ${right}`;
}

/** The slots whose bits a value's low and high halves hold, or null. */
function slotsOf(step, number) {
  const inst = step.instructions[number - 2];
  if (!inst.bits) return slotsOf(step, inst.lhs); // a product of what was in place
  const slot = (from) => {
    const roles = inst.bits.slice(from, from + 16).filter((b) => b >= 0 && b < 32).map((b) => codeRole(operation().block, b)?.slot);
    return new Set(roles).size === 1 ? roles[0] : null;
  };
  return [slot(0), slot(16)];
}

/** Instructions on scales alone, which decodes of the same scales share. */
function onlyScales(step) {
  const only = [false, true];
  for (const inst of step.instructions) only.push(only[inst.lhs] && (inst.rhs === undefined || only[inst.rhs]));
  return only;
}

section("decode", "Decode", {
  has: () => operation() !== null,
  note: () => operation().decode.name,
  draw() {
    const op = operation(), d = op.decode, step = d.steps[decodeStep], only = onlyScales(step);
    const issued = step.instructions.map((inst) => inst.pipe !== "none"), total = issued.filter(Boolean).length;
    const shared = only.slice(2).filter((alone, i) => alone && issued[i]).length;
    const rows = step.instructions.map((inst, i) => {
      const number = i + 2, register = step.results.indexOf(number);
      const pair = inst.bits ? null : slotsOf(step, number);
      return el("tr", {},
        el("td", { class: "mono" }, instructionText(inst, number)),
        el("td", {}, el("span", { class: `pipe ${inst.pipe}` }, inst.op)),
        el("td", {}, inst.bits ? originStrip(op.block, inst.bits, `bits of ${valueName(number)}`) : pairStrip(pair[0], pair[1], 486, only[number] ? "computed from a scale" : "computed")),
        el("td", { class: "mono" }, register < 0 ? "" : `A register ${register}`));
    });
    const input = (name, origins) => el("tr", {}, el("td", { class: "mono" }, name), el("td"), el("td", {}, originStrip(op.block, origins, `bits of ${name}`)), el("td"));
    const all = (base) => Array.from({ length: 32 }, (_, bit) => base + bit);
    return [
      el("h1", {}, `Decode sequence “${d.name}”`),
      el("p", { class: "lead" }, `${count(total, "instruction")} turn a word of eight codes and a word of four scales into the four registers of an A fragment: ${d.alu} on the ALU, ${d.multiply} multiplications or left shifts, ${d.bf16x2} bf16x2 multiplications. A splat is none: a multiplication selects the half of its operand.`),
      el("p", {}, `${shared} of them work on scales alone: decodes that have the same scales share them. That leaves ${total - shared} for eight weights.`),
      el("div", { class: "bar" }, el("label", {}, "k16 step of the block: ", choice([0, 1, 2, 3].map((s) => [s, String(s)]), decodeStep, (s) => { decodeStep = s; draw(); }))),
      el("div", { class: "legend" }, Array.from({ length: 8 }, (_, s) => el("span", {}, el("i", { class: `slot${s}` }), `code in slot ${s}`)), el("span", {}, "each ", term("slot"), " of a word has a colour;"), el("span", {}, "s sign, e exponent, m mantissa; digits: bit of a scale")),
      el("div", { class: "panel scroll" }, el("table", { class: "decode" }, el("tbody", {}, input("codes", all(0)), input("scales", all(32)), rows))),
      el("p", { class: "soft", style: "margin-top:1rem" }, "Bits are followed by running the sequence on every single bit; where an instruction does more than move bits, the strip shows which weight each half has become."),
    ];
  },
});
