// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What ptxas reports, and what the PTX interpreter counted.

/** CTAs that an SM has room for, by resource. */
function room(op, resources) {
  const s = op.schedule, shared = s.shared_bytes;
  // Registers are given out to a warp in units of 256.
  const ofWarp = Math.ceil((resources.registers * 32) / 256) * 256;
  return [
    ["registers", Math.floor(op.target.registers_per_multiprocessor / (ofWarp * Math.ceil(s.threads / 32)))],
    ["shared memory", Math.floor(op.target.shared_per_multiprocessor / (shared + op.target.shared_reserved))],
    ["the schedule asks for", s.ctas],
  ];
}

/** How warps share out their registers after the launch; nothing if they keep what they have. */
function handedOver(op) {
  const s = op?.schedule;
  return s?.registers.producer ? `${s.registers.producer} in the producer, ${s.registers.consumer} in consumers` : "";
}

/** Why the number of ptxas is not the number that a thread has later. */
function registersExplained(op, launched) {
  const s = op?.schedule;
  if (!s?.registers.producer) return null;
  const consumers = s.threads - s.producer_threads, all = launched * s.threads;
  const after = s.producer_threads * s.registers.producer + consumers * s.registers.consumer;
  return el("p", {},
    `Every thread is launched with ${launched} registers, ${all.toLocaleString("en")} for the ${s.threads} threads of a CTA. Then warps hand registers over (setmaxnreg): the ${s.producer_threads} threads of the `,
    term("producer"), ` keep ${s.registers.producer} each, and the ${consumers} of the `, term("consumer", "consumers"),
    ` take ${s.registers.consumer} each, ${after.toLocaleString("en")} together. ptxas reports the number at launch.`);
}

section("numbers", "Resources", {
  has: () => true,
  note: () => (kernel().resources ? `${kernel().resources.registers} regs` : ""),
  draw() {
    const r = kernel().resources, op = operation();
    if (!r)
      return [el("h1", {}, "Resources"), el("p", {}, "ptxas was not found when the page was made; set MXFP4_PTXAS, CUDA_HOME or PATH.")];
    const clean = !r.spill_bytes && !r.stack_bytes && !r.warnings.length;
    return [
      el("h1", {}, "Resources"),
      el("p", { class: "lead" }, clean ? "ptxas uses no stack, spills nothing and warns of nothing." : "ptxas has something to say:"),
      el("div", { class: "panel" }, facts([
        ["registers", `${r.registers} a thread at launch, of 255`],
        ["stack", bytes(r.stack_bytes)],
        ["spills", bytes(r.spill_bytes)],
        ["static shared memory", bytes(r.static_shared_bytes)],
        ["warnings", r.warnings.length ? el("span", { class: "minus mono" }, r.warnings.join("\n")) : "none"],
        ["ptxas", r.ptxas],
      ])),
      registersExplained(op, r.registers),
      op ? [el("h2", {}, "CTAs that an SM holds"), el("div", { class: "panel" }, meter(room(op, r)))] : [],
    ].flat().filter(Boolean);
  },
});

/** Any object of numbers: groups as headings, many numbers as bars. */
function counts(object) {
  const numbers = Object.entries(object).filter(([, v]) => typeof v === "number");
  const texts = Object.entries(object).filter(([, v]) => typeof v === "string" || typeof v === "boolean");
  const groups = Object.entries(object).filter(([, v]) => v && typeof v === "object" && !Array.isArray(v));
  const title = (name) => name.replace(/_/g, " ");
  return [
    numbers.length + texts.length ? facts([...texts, ...numbers].map(([name, v]) => [title(name), typeof v === "number" ? v.toLocaleString("en") : String(v)])) : null,
    ...groups.flatMap(([name, group]) => {
      const entries = Object.entries(group);
      const flat = entries.length > 3 && entries.every(([, v]) => typeof v === "number");
      return [el("h2", {}, title(name)), el("div", { class: "panel" }, flat ? meter(entries.sort((a, b) => b[1] - a[1])) : counts(group))];
    }),
  ].filter(Boolean);
}

section("simulation", "Simulation", {
  has: () => state.report.simulation !== null,
  draw: () => [el("h1", {}, "Simulation"), el("p", {}, "What the PTX interpreter counted as it ran the kernel."), ...counts(state.report.simulation)],
});
