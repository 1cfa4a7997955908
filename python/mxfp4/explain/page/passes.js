// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The IR after every pass, with what changed.

const CONTEXT = 3, CHUNK = 400;
let wholeModule = false;

const escapeHtml = (text) => text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
const TOKENS = /(\/\/.*$)|("(?:[^"\\]|\\.)*")|(%[\w#.$-]+)|([!#][a-zA-Z][\w.]*)|\b([a-z_]\w*(?:\.[\w]+)+)\b|(?<![\w.])(-?(?:0x[0-9A-Fa-f]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?))\b/g;
const TOKEN_CLASSES = ["co", "st", "va", "ty", "op", "nu"];

/** A line of MLIR with its parts in colour, as HTML. */
function highlight(line) {
  let html = "", at = 0;
  for (const match of line.matchAll(TOKENS)) {
    const kind = TOKEN_CLASSES[match.slice(1).findIndex((part) => part !== undefined)];
    html += `${escapeHtml(line.slice(at, match.index))}<span class="${kind}">${escapeHtml(match[0])}</span>`;
    at = match.index + match[0].length;
  }
  return html + escapeHtml(line.slice(at));
}

/** A line of which a part differs from another, with that part marked, as HTML. */
function highlightChange(line, other) {
  const least = Math.min(line.length, other.length), word = /[\w%#.]/;
  let from = 0, tail = 0;
  while (from < least && line[from] === other[from]) ++from;
  while (tail < least - from && line[line.length - 1 - tail] === other[other.length - 1 - tail]) ++tail;
  // Whole words: part of a name has no colour.
  while (from > 0 && word.test(line[from - 1]) && word.test(line[from] ?? " ")) --from;
  while (tail > 0 && word.test(line[line.length - tail]) && word.test(line[line.length - tail - 1] ?? " ")) --tail;
  const to = line.length - tail;
  if (from >= to) return highlight(line);
  return `${highlight(line.slice(0, from))}<mark>${highlight(line.slice(from, to))}</mark>${highlight(line.slice(to))}`;
}

/** Lines of a version of the module: 0 is the source, i is after pass i - 1. */
const versionLines = (i) => (i === 0 ? state.report.source : state.report.passes[i - 1].lines);

/** Rows to show of a pass: {kind, n, line} or {hidden: rows}. */
function passRows(index) {
  const before = versionLines(index), after = versionLines(index + 1), rows = [];
  let a = 0, b = 0;
  const changes = state.report.passes[index].changes;
  changes.forEach(([kind, was, is], i) => {
    if (kind === "=") {
      const same = after.slice(b, b + is).map((line, j) => ({ kind: "", n: b + j + 1, line }));
      const head = i === 0 ? 0 : CONTEXT, tail = i === changes.length - 1 ? 0 : CONTEXT;
      if (wholeModule || same.length <= head + tail + 2) rows.push(...same);
      else rows.push(...same.slice(0, head), { hidden: same.slice(head, same.length - tail) }, ...same.slice(same.length - tail));
    } else {
      const paired = was === is; // each line became another: mark in which part
      for (let j = 0; j < was; ++j) if (!wholeModule) rows.push({ kind: "cut", n: "−", line: before[a + j], other: paired ? after[b + j] : null });
      for (let j = 0; j < is; ++j) rows.push({ kind: "add", n: b + j + 1, line: after[b + j], other: paired ? before[a + j] : null });
    }
    a += was;
    b += is;
  });
  return rows;
}

/** Appends rows to a listing, a chunk at a time. */
function appendRows(pre, rows, before = null) {
  const nodes = [];
  const plain = (row) => {
    const div = el("div", { class: row.kind, "data-n": row.n });
    const text = state.report.lines[row.line];
    div.innerHTML = (typeof row.other === "number" ? highlightChange(text, state.report.lines[row.other]) : highlight(text)) || " ";
    return div;
  };
  const more = (text, open) => {
    const div = el("div", { class: "more", role: "button", tabindex: 0 }, text);
    const run = () => { open(div); div.remove(); };
    div.addEventListener("click", run);
    div.addEventListener("keydown", (e) => { if (e.key === "Enter") run(); });
    return div;
  };
  rows.slice(0, CHUNK).forEach((row) => nodes.push(row.hidden
    ? more(`⋯ ${count(row.hidden.length, "line")} as before`, (div) => appendRows(pre, row.hidden, div))
    : plain(row)));
  if (rows.length > CHUNK)
    nodes.push(more(`⋯ ${count(rows.length - CHUNK, "more line")}`, (div) => appendRows(pre, rows.slice(CHUNK), div)));
  nodes.forEach((node) => pre.insertBefore(node, before));
}

/** Marks every use of the value under the pointer. */
function markUses(pre) {
  pre.addEventListener("mouseover", (event) => {
    if (!event.target.classList.contains("va")) return;
    const name = event.target.textContent.replace(/#\d+$/, "");
    for (const other of pre.querySelectorAll(".va")) other.classList.toggle("same", other.textContent.replace(/#\d+$/, "") === name);
  });
}

const passIndex = (argument) => Math.min(state.report.passes.length - 1, Math.max(0, Number(argument) || 0));

section("passes", "Passes", {
  note: () => String(state.report.passes.length),
  draw(argument) {
    const passes = state.report.passes, now = passIndex(argument), pass = passes[now];
    const items = passes.map((p, i) => el("li", {}, el("a", { href: `#passes/${i}`, "aria-current": i === now ? "true" : null, class: p.added + p.removed ? "" : "idle" },
      el("span", {}, `${i + 1}. ${p.name}`),
      el("span", {}, p.added || p.removed ? [el("span", { class: "plus" }, `+${p.added}`), " ", el("span", { class: "minus" }, `−${p.removed}`)] : "same"))));
    const pre = el("pre", { class: "code" });
    const rows = passRows(now);
    if (pass.added + pass.removed || wholeModule) appendRows(pre, rows);
    else pre.append(el("div", { class: "soft" }, "  This pass found nothing to change."));
    markUses(pre);
    queueMicrotask(() => {
      document.querySelector(".passes ol [aria-current]")?.scrollIntoView({ block: "nearest" });
      document.querySelector("pre.code .add, pre.code .cut")?.scrollIntoView({ block: wholeModule ? "center" : "nearest" });
    });
    return [
      el("h1", {}, `${now + 1}. `, el("code", {}, pass.name)),
      el("p", {}, pass.summary, "."),
      el("div", { class: "bar" },
        choice([[false, "Differences"], [true, "Whole module"]], wholeModule, (value) => { wholeModule = value; draw(); }),
        el("span", { class: "soft" }, `${count(pass.lines.length, "line")} after it. `, el("kbd", {}, "j"), " next, ", el("kbd", {}, "k"), " previous."),
        pass.words.includes("{") ? el("code", { class: "soft" }, pass.words.slice(pass.words.indexOf("{"))) : ""),
      el("div", { class: "passes" }, el("ol", {}, items), pre),
    ];
  },
  key(event) {
    const step = { j: 1, k: -1 }[event.key];
    if (step) location.hash = `passes/${passIndex(passIndex(currentSection().argument) + step)}`;
  },
});
