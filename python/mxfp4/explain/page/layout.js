// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Who holds which element: the packed block and the operands of the instruction. Every cell is what
// the compiler's own maps say; this file only draws.

const view = { map: 0, colour: "thread", row: 0, column: 1 };

/** The maps to choose from, with `owner(cell)` as {thread, warp, lane, register, ...}. */
function layoutMaps() {
  const op = operation(), block = op.block;
  const packed = {
    title: `Packed block, ${block.rows} × ${block.columns}`, rows: block.rows, columns: block.columns,
    rowAxis: "weight row (N)", columnAxis: "k",
    owner(cell) {
      const thread = block.owners[cell] >> 5, element = block.owners[cell] & 31;
      const [word, slot, scale] = block.cells[cell];
      return { warp: thread >> 5, lane: thread & 31, step: element >> 3, slot, register: slot >> 1, half: slot & 1, word, scale };
    },
  };
  return [packed, ...op.fragments.map((f) => ({
    title: f.title, rows: f.rows, columns: f.columns, rowAxis: f.row_axis, columnAxis: f.column_axis, fragment: f,
    owner(cell) {
      const thread = Math.floor(f.owners[cell] / f.elements), element = f.owners[cell] % f.elements;
      const bit = element * f.element_bits;
      return { warp: thread >> 5, lane: thread & 31, register: bit >> 5, half: (bit & 31) >> 4, bit: bit & 31, bits: f.element_bits };
    },
  }))];
}

function cellFill(owner) {
  if (view.colour === "warp") return `oklch(var(--cell-light) var(--cell-chroma) ${25 + 90 * owner.warp})`;
  if (view.colour === "register")
    return `oklch(calc(var(--cell-light) - ${0.07 * owner.half}) var(--cell-chroma) ${(25 + 72 * owner.register + 16 * (owner.step ?? 0)) % 360})`;
  // The thread: its warp is the hue, its quad the lightness, its place in the quad the chroma.
  return `oklch(calc(var(--cell-light) + 0.1 - ${0.035 * (owner.lane >> 2)}) calc(var(--cell-chroma) * ${0.5 + 0.35 * (owner.lane & 3)}) ${25 + 90 * owner.warp})`;
}

function gridPicture(map, select) {
  const size = Math.max(9, Math.min(36, 576 / Math.max(map.rows, map.columns))), left = 34, top = 30;
  const cells = [], tags = [];
  const labelled = size >= 24;
  for (let row = 0; row < map.rows; ++row)
    for (let column = 0; column < map.columns; ++column) {
      const cell = row * map.columns + column, owner = map.owner(cell);
      const x = left + column * size, y = top + row * size;
      cells.push(svg("rect", { x, y, width: size, height: size, class: "cell", "data-cell": cell, "data-thread": owner.warp * 32 + owner.lane, style: `fill:${cellFill(owner)}` }));
      if (labelled) {
        tags.push(svg("text", { x: x + size / 2, y: y + size / 2 - 2, class: "tag" }, `t${owner.warp * 32 + owner.lane}`));
        tags.push(svg("text", { x: x + size / 2, y: y + size / 2 + 10, class: "tag" }, `r${owner.register}${owner.bits === 32 ? "" : owner.half ? "h" : "l"}`));
      }
    }
  const step = map.rows > 32 ? 8 : map.rows > 16 ? 4 : 1, axes = [];
  for (let row = 0; row < map.rows; row += step)
    axes.push(svg("text", { x: left - 6, y: top + (row + 0.5) * size + 4, class: "axis", "text-anchor": "end" }, String(row)));
  for (let column = 0; column < map.columns; column += map.columns > 32 ? 8 : map.columns > 16 ? 4 : 1)
    axes.push(svg("text", { x: left + (column + 0.5) * size, y: top - 5, class: "axis", "text-anchor": "middle" }, String(column)));
  axes.push(svg("text", { x: left, y: 11, class: "axis" }, `${map.rowAxis} ↓   ${map.columnAxis} →`));
  const grid = picture(left + map.columns * size + 2, top + map.rows * size + 2, map.title, axes, cells, tags);
  grid.id = "grid";
  const at = (event) => event.target.dataset?.cell !== undefined && select(Number(event.target.dataset.cell));
  grid.addEventListener("mouseover", at);
  grid.addEventListener("click", at);
  return grid;
}

const hex = (n, digits = 0) => n.toString(16).toUpperCase().padStart(digits, "0");

function packedDetails(map, held, owner) {
  const block = operation().block, own = block.code_bits[owner.slot];
  return [
    facts([
      held,
      ["in the block", `bytes ${owner.word} to ${owner.word + 3}: word ${owner.step} of the thread, for k16 step ${owner.step}`],
      ["code", `slot ${owner.slot}: bits ${[...own].reverse().join(", ")} (s, e, e, m)`],
      ["scale", `byte ${owner.scale}`],
      ["decoded", `A register ${owner.register}, ${owner.half ? "high" : "low"} half (bits ${16 * owner.half} to ${16 * owner.half + 15})`],
    ]),
    el("h3", {}, "The word of codes"),
    el("div", {}, strip("the word of codes", (bit) => {
      const role = codeRole(block, bit);
      return { fill: role ? `slot${role.slot}` : "none", text: role?.role, now: own.includes(bit) };
    }, true)),
    el("h3", {}, "After decoding"),
    pairStrip(owner.slot & ~1, owner.slot | 1, 292),
  ];
}

function fragmentDetails(map, held, owner) {
  const last = owner.bit + owner.bits - 1;
  return [
    facts([held, ["register", `${owner.register}, bits ${owner.bit} to ${last}`], ["instruction", el("code", {}, map.fragment.instruction)]]),
    el("h3", {}, `Register ${owner.register}`),
    el("div", {}, strip("the register", (bit) => ({
      fill: bit >= owner.bit && bit <= last ? "slot4" : "none", now: bit >= owner.bit && bit <= last,
    }), true)),
  ];
}

function layoutDetails(map, cell) {
  const owner = map.owner(cell), row = Math.floor(cell / map.columns), column = cell % map.columns;
  const held = ["held by", `thread ${owner.warp * 32 + owner.lane} (warp ${owner.warp}, lane ${owner.lane})`];
  return [
    el("h3", {}, `${map.rowAxis} ${row}, ${map.columnAxis} ${column}`),
    map.fragment ? fragmentDetails(map, held, owner) : packedDetails(map, held, owner),
    el("p", { class: "soft" }, "Outlined: everything that this thread holds. ", el("kbd", {}, "←"), " ", el("kbd", {}, "↑"), " ", el("kbd", {}, "↓"), " ", el("kbd", {}, "→"), " move."),
  ].flat();
}

function selectCell(cell) {
  const map = layoutMaps()[view.map], owner = map.owner(cell), thread = owner.warp * 32 + owner.lane;
  view.row = Math.floor(cell / map.columns);
  view.column = cell % map.columns;
  const grid = document.getElementById("grid");
  for (const old of grid.querySelectorAll(".mine, .now")) old.classList.remove("mine", "now");
  for (const mine of grid.querySelectorAll(`[data-thread="${thread}"]`)) mine.classList.add("mine");
  grid.querySelector(`[data-cell="${cell}"]`).classList.add("now");
  document.getElementById("details").replaceChildren(...layoutDetails(map, cell));
}

section("layout", "Layout", {
  has: () => operation() !== null,
  note: () => `${operation().block.order}, ${operation().block.scales}`,
  draw() {
    const maps = layoutMaps();
    view.map = Math.min(view.map, maps.length - 1);
    const map = maps[view.map];
    view.row = Math.min(view.row, map.rows - 1);
    view.column = Math.min(view.column, map.columns - 1);
    const draw = (change) => { Object.assign(view, change); document.getElementById("main").replaceChildren(...this.draw()); };
    queueMicrotask(() => selectCell(view.row * map.columns + view.column));
    return [
      el("h1", {}, "Who holds what"),
      el("p", {}, "This kernel's ", term("block", "blocks"), " have the order ", term(operation().block.order), " and ", term(operation().block.scales), " scales."),
      el("p", {}, "Packed weights are stored in the order in which the instruction's fragments want them: a thread's word of codes is its part of the A fragment, and decoding it needs no other thread. Point at an element."),
      el("div", { class: "bar" },
        choice(maps.map((m, i) => [i, m.title]), view.map, (value) => draw({ map: value })),
        el("label", {}, "Colour: ", choice([["thread", "thread"], ["warp", "warp"], ["register", "register"]], view.colour, (value) => draw({ colour: value })))),
      el("div", { class: "two" }, el("div", { class: "panel" }, gridPicture(map, selectCell)), el("div", { class: "panel details", id: "details", "aria-live": "polite" })),
    ];
  },
  key(event) {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!move) return;
    event.preventDefault();
    const map = layoutMaps()[view.map];
    const row = Math.min(map.rows - 1, Math.max(0, view.row + move[0])), column = Math.min(map.columns - 1, Math.max(0, view.column + move[1]));
    selectCell(row * map.columns + column);
  },
});
