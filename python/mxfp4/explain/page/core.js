// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elements, the sections of the page, and how one moves between them.

/** Makes an element: attributes, then children (nodes or text). */
function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

/** The same in SVG. */
function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(element, attributes, children);
  return element;
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
}

/** A picture of this size in its own units, with a name for who cannot see it. */
function picture(width, height, name, ...children) {
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": name }, ...children);
}

const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
const bytes = (n) => (n >= 10240 ? `${(n / 1024).toLocaleString("en", { maximumFractionDigits: 1 })} KiB` : count(n, "byte"));

/** Names and values, one below the other. */
const facts = (pairs) => el("dl", { class: "facts" }, pairs.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));

/** Buttons of which one is pressed; `choose` gets its value. */
function choice(options, now, choose) {
  const buttons = options.map(([value, text]) =>
    el("button", { type: "button", "aria-pressed": String(value === now), onclick: () => choose(value) }, text));
  return el("span", { class: "group" }, buttons);
}

/** Bars for numbers with names, longest first; `kind` gives a class for each name. */
function meter(entries, kind = () => "") {
  const most = Math.max(1, ...entries.map(([, n]) => n));
  return el("div", { class: "meter" }, entries.map(([name, n]) => [
    el("span", { class: `mono ${kind(name)}` }, name),
    el("i", { class: kind(name), style: `width:${(100 * n) / most}%` }),
    el("span", { class: "n" }, n.toLocaleString("en")),
  ]));
}

// What the compiler said, and what the reader looks at.
const state = { report: null, kernel: 0 };
const kernel = () => state.report.kernels[state.kernel];
const operation = () => kernel().operation;

/** Sections register here: {id, title, note(), draw(argument), key(event)}. */
const sections = [];
const section = (id, title, members) => sections.push({ id, title, note: () => "", has: () => true, ...members });
const shown = () => sections.filter((s) => s.has());

function currentSection() {
  const [id, ...rest] = decodeURIComponent(location.hash.slice(1)).split("/");
  const found = shown().find((s) => s.id === id) ?? shown()[0];
  return { section: found, argument: rest.join("/") };
}

function drawSide() {
  const { section: now } = currentSection();
  const report = state.report;
  const links = shown().map((s) =>
    el("li", {}, el("a", { href: `#${s.id}`, "aria-current": s === now ? "page" : null }, s.title, el("span", {}, s.note()))));
  const kernels = report.kernels.length < 2 ? null : el("select",
    { "aria-label": "Kernel", onchange: (e) => { state.kernel = Number(e.target.value); draw(); } },
    report.kernels.map((k, i) => el("option", { value: i, selected: i === state.kernel ? "" : null }, k.name)));
  document.getElementById("side").replaceChildren(
    el("div", { class: "brand" }, "mxfp4 explain", el("small", {}, report.title)),
    kernels ?? "",
    el("ul", {}, links),
    el("div", { class: "foot" }, el("button", { type: "button", onclick: turnTheme }, "Light / dark"),
      el("p", {}, `mxfp4 ${report.version}`)));
}

function turnTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
}

function draw() {
  const { section: now, argument } = currentSection();
  drawSide();
  document.getElementById("main").replaceChildren(...[now.draw(argument)].flat(Infinity).filter(Boolean));
  document.body.dataset.section = now.id;
}

async function start() {
  const text = document.getElementById("data").textContent;
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  state.report = await new Response(stream).json();
  addEventListener("hashchange", () => { draw(); scrollTo(0, 0); });
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    currentSection().section.key?.(event);
  });
  draw();
  document.body.dataset.ready = "yes";
}
