// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The kernel's PTX, with the loop that does the work.

const KINDS = { matrix: "matrix", bf16x2: "bf16x2 arithmetic", integer: "integer", copy: "loads, stores, copies", sync: "synchronisation", control: "control", other: "other" };

section("ptx", "PTX", {
  note: () => `${kernel().ptx.lines.length} lines`,
  draw() {
    const p = kernel().ptx, hot = new Set(p.hot);
    const lines = p.lines.map((line, i) => el("div", { class: hot.has(i) ? "hot" : "", "data-n": i + 1, id: i === p.hot[0] ? "hot" : null },
      el("span", { class: p.kinds[i] ? `k-${p.kinds[i]}` : /^\s*(\/\/|\.)/.test(line) ? "co" : "" }, line || " ")));
    const kinds = Object.entries(p.hot_kinds).sort((a, b) => b[1] - a[1]).map(([kind, n]) => [KINDS[kind], n]);
    const classOf = (name) => `k-${Object.keys(KINDS).find((k) => KINDS[k] === name)}`;
    const opcodes = p.hot_opcodes.map(([code, n]) => el("tr", {}, el("td", { class: "mono" }, code), el("td", { class: "n" }, String(n))));
    return [
      el("h1", {}, "PTX"),
      p.hot.length
        ? el("p", { class: "lead" }, `The hot loop is marked: lines ${p.hot[0] + 1} to ${p.hot.at(-1) + 1}, ${count(p.hot_opcodes.reduce((sum, [, n]) => sum + n, 0), "instruction")}, the innermost loop with the most matrix instructions.`)
        : el("p", {}, "No loop has matrix instructions in it."),
      p.hot.length ? el("div", { class: "panel" }, el("h3", {}, "Instructions of the hot loop"), meter(kinds, classOf),
        el("details", {}, el("summary", {}, "By opcode"), el("table", {}, el("tbody", {}, opcodes)))) : "",
      el("div", { class: "bar", style: "margin-top:1rem" }, el("button", { type: "button", onclick: () => document.getElementById("hot")?.scrollIntoView({ block: "start" }) }, "Go to the hot loop")),
      el("pre", { class: "code" }, lines),
    ];
  },
});
