// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The schedule, why it was chosen, and what it makes of the machine.

const warpHue = (warp, warps) => `oklch(var(--cell-light) var(--cell-chroma) ${(25 + (360 * warp) / warps) % 360})`;

/** The chooser's answers along the number of rows, on a logarithmic axis. */
function choiceLadder(op) {
  const width = 860, left = 8, log = Math.log2;
  const list = op.choices, last = list.at(-1);
  const end = Math.max(last.from * 4, 4096);
  const x = (rows) => left + ((width - 2 * left) * log(rows)) / log(end);
  const parts = list.map((c, i) => {
    const x0 = x(c.from), x1 = x(c.to ? c.to + 1 : end), now = c.schedule === op.schedule.attribute;
    return [
      svg("rect", { x: x0, y: 8, width: Math.max(1, x1 - x0 - 2), height: 34, rx: 4, class: `slot${i % 8}`, style: now ? "stroke:var(--hot-line);stroke-width:3" : "" },
        svg("title", {}, `${c.reason}\n${c.schedule}`)),
      x1 - x0 > 26 ? svg("text", { x: (x0 + x1) / 2, y: 29, class: "tag", style: "font-size:12px" }, String(i + 1)) : null,
    ];
  });
  const ticks = [];
  for (let rows = 1; rows <= end; rows *= 4)
    ticks.push(svg("text", { x: x(rows), y: 60, class: "axis", "text-anchor": rows === 1 ? "start" : "middle" }, rows.toLocaleString("en")));
  return picture(width, 66, "schedules by number of rows", parts, ticks);
}

/** What each warp computes of the tile of output; K slices share a place. */
function tilePicture(s) {
  const unit = Math.min(5, 300 / Math.max(s.tile_rows, s.tile_tokens)) * 1.6;
  const w = s.tile_tokens * unit, h = s.tile_rows * unit, left = 46, top = 22;
  const warps = s.first_slices.length, parts = [];
  const here = (warp) => Array.from({ length: s.k_slices }, (_, slice) => warp + slice * warps).join(", ");
  for (let warp = 0; warp < warps; ++warp)
    for (let i = 0; i < s.warp_rows / 16; ++i) {
      const slice = s.first_slices[warp] + i * s.slice_stride;
      const x = left + Math.floor(warp / s.warps_rows) * s.warp_tokens * unit, y = top + slice * 16 * unit;
      parts.push(svg("rect", { x, y, width: s.warp_tokens * unit - 1, height: 16 * unit - 1, rx: 2, style: `fill:${warpHue(warp, warps)}` },
        svg("title", {}, `warp${s.k_slices > 1 ? "s" : ""} ${here(warp)}: rows ${slice * 16} to ${slice * 16 + 15}`)));
      const label = here(warp);
      if (16 * unit > 10 && s.warp_tokens * unit > 6 * label.length)
        parts.push(svg("text", { x: x + (s.warp_tokens * unit) / 2, y: y + 8 * unit + 4, class: "tag", style: "font-size:11px" }, label));
    }
  parts.push(svg("text", { x: left + w / 2, y: 13, class: "axis", "text-anchor": "middle" }, `${s.tile_tokens} tokens`));
  parts.push(svg("text", { transform: `translate(14 ${top + h / 2}) rotate(-90)`, class: "axis", "text-anchor": "middle" }, `${s.tile_rows} weight rows (N)`));
  return picture(left + Math.max(w, 70) + 8, top + h + 4, "the tile, by warp", parts);
}

/** Color and name of each region of shared memory. */
const regionLooks = {
  activations: ["slot4", "activations"],
  decoded: ["slot2", "decoded blocks"],
  weights: ["slot1", "packed weights"],
  sums: ["slot3", "sums of a K slice"],
  table: ["slot6", "table of tiles"],
  fixed: ["slot7", "static"],
};

/** A CTA's shared memory, in proportion. */
function sharedPicture(op) {
  const s = op.schedule, width = 860, total = op.target.shared_per_cta, x = (n) => (width * n) / total;
  const parts = [];
  let at = 0;
  for (const region of s.shared_memory)
    for (let stage = 0; stage < region.stages; ++stage) {
      const size = region.bytes / region.stages, [kind, title] = regionLooks[region.name];
      const name = region.stages > 1 ? `${title} of stage ${stage}` : title;
      const place = "offset" in region ? ` from ${(region.offset + stage * size).toLocaleString("en")} on` : "";
      parts.push(svg("rect", { x: x(at), y: 0, width: Math.max(0.6, x(size) - 0.8), height: 30, class: kind }, svg("title", {}, `${name}: ${bytes(size)}${place}`)));
      at += size;
    }
  parts.push(svg("rect", { x: x(at), y: 0, width: Math.max(0, width - x(at)), height: 30, class: "none" }, svg("title", {}, `free: ${bytes(total - at)}`)));
  return picture(width, 30, "shared memory of a CTA", parts);
}

/** The fields of a printed attribute, whichever there are. */
const attributeFields = (text) =>
  [...text.matchAll(/([\w.]+) = ([^,>]+)/g)].map(([, name, value]) => [name, el("code", {}, value)]);

section("schedule", "Schedule", {
  has: () => operation() !== null,
  note: () => operation().schedule.instruction,
  draw() {
    const op = operation(), s = op.schedule;
    const rows = op.choices.map((c, i) => el("tr", { class: c.schedule === s.attribute ? "now" : "" },
      el("td", {}, String(i + 1)),
      el("td", { class: "n" }, c.from.toLocaleString("en")),
      el("td", { class: "n" }, c.to ? c.to.toLocaleString("en") : "∞"),
      el("td", {}, c.reason.replace(/ \(\d+ expected (?:a|per) group\)$/, "")),
      el("td", { class: "mono" }, c.schedule.replace(/^#mxfp4.schedule<|>$/g, "").replace(/ = /g, "="))));
    const registers = s.registers.producer ? `${s.registers.producer} a producer thread, ${s.registers.consumer} a consumer thread${kernel().resources ? `; ${kernel().resources.registers} at launch, before warps hand them over` : ""}` : `at most ${s.registers.launch} a thread, as launched: no warp hands any over`;
    return [
      el("h1", {}, "Schedule"),
      el("p", { class: "lead" }, op.reason ? `Chosen because: ${op.reason}.` : "Given by the user; the chooser was not asked."),
      s.problem ? el("p", { class: "minus" }, `The schedule ${s.problem}.`) : null,
      el("div", { class: "two" },
        el("div", { class: "panel" }, el("h3", {}, "The tile of a CTA, by warp"), tilePicture(s)),
        el("div", { class: "panel" }, el("h3", {}, "The attribute"), facts(attributeFields(s.attribute)),
          el("h3", {}, "What follows from it"),
          facts([
            ["threads", `${s.threads}${s.producer_threads ? ` (${s.producer_threads} only copy)` : ""}`],
            ["a warp's part", `${s.warp_rows} rows × ${s.warp_tokens} tokens${s.k_slices > 1 ? `, one of ${s.k_slices} slices of K` : ""}`],
            s.height_step < s.tile_tokens ? ["fewer tokens", `a multiple of ${s.height_step}, as many as a tile has`] : null,
            ["registers", registers],
            ["CTAs", `${s.ctas} per SM, ${s.ctas * op.target.multiprocessors} in the grid`],
            ["a stage", `${bytes(s.weight_stage_bytes)} of weights, ${bytes(s.activation_stage_bytes)} of activations`],
            ["shared memory", `${bytes(s.shared_bytes)} of ${bytes(op.target.shared_per_cta)}`],
          ].filter(Boolean)))),
      el("h2", {}, "Shared memory of a CTA"),
      el("div", { class: "scroll" }, sharedPicture(op)),
      el("div", { class: "legend" }, s.shared_memory.map((region) => regionLooks[region.name]).map(([c, t]) => el("span", {}, el("i", { class: c }), t))),
      el("h2", {}, "What other numbers of rows lead to"),
      el("p", { class: "soft" }, "Rows of all groups together, on a logarithmic axis; the schedule of this kernel is outlined. The chooser is a pure function of the problem and the target."),
      el("div", { class: "scroll" }, choiceLadder(op)),
      el("div", { class: "scroll" }, el("table", { style: "margin-top:1rem" },
        el("thead", {}, el("tr", {}, ["", "from", "to", "why", "schedule"].map((t, i) => el("th", { class: i === 1 || i === 2 ? "n" : "" }, t)))),
        el("tbody", {}, rows))),
    ].filter(Boolean);
  },
});
