// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What was compiled and what came out, on one screen.

function problemSentence(p) {
  const groups = p.groups === p.experts ? "" : `, ${count(p.groups, "group")}`;
  const ids = p.expert_ids ? ", experts named by id" : "";
  return `${count(p.experts, "expert")}${groups}, N = ${p.n}, K = ${p.k}, ${p.output} output${ids}`;
}

const short = (name) => name.replace(/^mxfp4-/, "").replace(/^(.{19}).{2,}$/, "$1…");

/** A bar for each pass: lines added up, lines removed down. */
function passBars() {
  const passes = state.report.passes;
  const width = Math.min(960, Math.max(420, 52 * passes.length)), step = (width - 76) / passes.length, half = 58;
  // Roots: a pass that unrolls must not hide the others.
  const scale = (n) => Math.sqrt(n);
  const most = Math.max(1, ...passes.flatMap((p) => [scale(p.added), scale(p.removed)]));
  const bars = passes.map((p, i) => {
    const up = (half * scale(p.added)) / most, down = (half * scale(p.removed)) / most;
    return svg("a", { href: `#passes/${i}` },
      svg("title", {}, `${p.name}: +${p.added} -${p.removed} lines`),
      svg("rect", { x: i * step, y: 0, width: step, height: 2 * half + 20, fill: "transparent" }),
      svg("rect", { x: i * step + 4, y: half - up, width: step - 8, height: up, rx: 2, style: "fill:var(--add-ink);opacity:.75" }),
      svg("rect", { x: i * step + 4, y: half + 1, width: step - 8, height: down, rx: 2, style: "fill:var(--cut-ink);opacity:.75" }),
      svg("text", { transform: `translate(${i * step + step / 2 + 4} ${2 * half + 14}) rotate(-32)`, class: "axis", "text-anchor": "end" }, short(p.name)));
  });
  return picture(width, 2 * half + 86, "lines that each pass changed", svg("g", { transform: "translate(72 0)" }, bars));
}

section("overview", "Overview", {
  draw() {
    const k = kernel(), op = operation(), hot = k.ptx.hot_kinds;
    const card = (href, value, text) => el("a", { class: "card", href }, el("b", {}, value), el("span", {}, text));
    const cards = [];
    if (op) {
      const s = op.schedule, d = op.decode;
      cards.push(card("#schedule", s.instruction, `${s.tile_rows} × ${s.tile_tokens} tile, ${count(s.stages, "stage")}, ${count(s.threads, "thread")}`));
      cards.push(card("#layout", `${op.block.order}, ${op.block.scales}`, `packed layout, ${op.block.bytes} bytes per block (words: see the glossary)`));
      cards.push(card("#decode", count(d.alu + d.multiply + d.bf16x2, "instruction"), `decode 8 weights (sequence “${d.name}”)`));
    }
    cards.push(card("#passes", count(state.report.passes.length, "pass", "passes"), `${state.report.passes.filter((p) => p.added + p.removed).length} change something`));
    cards.push(card("#ptx", count(k.ptx.lines.length, "line"), `of PTX, ${k.ptx.hot.length} in the hot loop${hot.matrix ? ` with ${hot.matrix} matrix instructions` : ""}`));
    if (k.resources) cards.push(card("#numbers", count(k.resources.registers, "register"), `a thread at launch${handedOver(op) ? `; then ${handedOver(op)}` : ""}; ${k.resources.spill_bytes ? `${k.resources.spill_bytes} bytes spilled` : "no spills"}, ptxas ${k.resources.ptxas}`));
    return [
      el("h1", {}, el("code", {}, k.name)),
      el("p", { class: "lead" }, op ? problemSentence(op.problem) : "The module held no operation with a schedule."),
      op?.reason ? el("p", {}, "Schedule: ", op.reason, ".") : null,
      el("div", { class: "cards" }, cards),
      el("h2", {}, "What each pass changed"),
      el("p", { class: "soft" }, "Lines added above, removed below, on a scale of square roots. Click a bar to read the differences."),
      el("div", { class: "scroll" }, passBars()),
      el("h2", {}, "Pipeline"),
      el("p", { class: "mono", style: "overflow-wrap:anywhere" }, state.report.pipeline),
    ].filter(Boolean);
  },
});
