"use strict";
// The map: pipes, sensors, sources, true leaks, and the candidates of the chosen incident.
const Map_ = (() => {
  const root = document.getElementById("map-svg");
  const links = new Map(DATA.network.links.map(l => [l[0], l]));
  const xs = DATA.network.links.flatMap(l => [l[2], l[4]]);
  const ys = DATA.network.links.flatMap(l => [l[3], l[5]]);
  const low = (v, d) => v.reduce((a, b) => Math.min(a, b), d);
  const high = (v, d) => v.reduce((a, b) => Math.max(a, b), d);
  const box = { x: low(xs, xs[0] ?? 0), y: low(ys, ys[0] ?? 0) };
  const size = Math.max(high(xs, box.x) - box.x, high(ys, box.y) - box.y) || 1;
  const pad = 0.04 * size;
  const whole = {
    x: box.x - pad, y: box.y - pad,
    w: (high(xs, box.x) - box.x || size) + 2 * pad, h: (high(ys, box.y) - box.y || size) + 2 * pad,
  };
  let view = { ...whole }, shares = new Map(), lengths = new Map();

  const line = list => list.map(l => `M${l[2]} ${l[3]}L${l[4]} ${l[5]}`).join("");
  const thin = { fill: "none", "vector-effect": "non-scaling-stroke", "stroke-linecap": "round" };
  svg(root, "path", { d: line(DATA.network.links), stroke: "#aab8c4", "stroke-width": 1.4, ...thin });
  const lit = svg(root, "g"), marks = svg(root, "g");

  const middle = l => [(l[2] + l[4]) / 2, (l[3] + l[5]) / 2];
  const SHAPES = {
    pressure: ["circle", { r: 4.2, fill: "#1f6feb" }],
    flow: ["rect", { x: -4.5, y: -4.5, width: 9, height: 9, fill: "#0d2f4f" }],
    level: ["path", { d: "M0-6L5.5 4.5H-5.5Z", fill: "#0d2f4f" }],
    demand: ["circle", { r: 2.2, fill: "#7aa7e8" }],
    source: ["path", { d: "M-6-5H6L4 5H-4Z", fill: "#23a6a6" }],
    truth: ["path", { d: "M-6-6L6 6M6-6L-6 6", stroke: "#1a7f4b", "stroke-width": 3.6, fill: "none", "stroke-linecap": "round" }],
    first: ["circle", { r: 11, fill: "none", stroke: "#8c1010", "stroke-width": 2.2 }],
  };
  function mark(parent, kind, x, y, label) {
    const group = svg(parent, "g", { "data-x": x, "data-y": y });
    const [name, attributes] = SHAPES[kind];
    const outline = attributes.fill !== "none" ? { stroke: "#fff", "stroke-width": 1 } : {};
    svg(group, name, { ...outline, ...attributes });
    if (label) {
      group.addEventListener("mousemove", e => { e.stopPropagation(); showTip(e, label); });
      group.addEventListener("mouseleave", hideTip);
    }
    return group;
  }
  for (const s of DATA.network.sources) mark(marks, "source", s[2], s[3], `${s[1]} ${s[0]}`);
  for (const kind of ["demand", "pressure", "flow", "level"])
    for (const s of DATA.network.sensors)
      if (s[1] === kind) mark(marks, kind, s[2], s[3], `${kind} sensor ${s[0]}`);
  for (const t of DATA.truth)
    if (links.has(t.link))
      mark(marks, "truth", ...middle(links.get(t.link)), `true leak at ${t.link}\nfrom ${minuteOf(t.start_s)} UTC`);
  const chosen = svg(root, "g");

  function place() {
    root.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
    const scale = unit();
    for (const g of root.querySelectorAll("g[data-x]"))
      g.setAttribute("transform", `translate(${g.dataset.x} ${g.dataset.y}) scale(${scale})`);
  }
  function unit() {
    const r = root.getBoundingClientRect();
    return Math.max(view.w / r.width, view.h / r.height);
  }
  function where(event) {
    const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(root.getScreenCTM().inverse());
    return [p.x, p.y];
  }

  root.addEventListener("wheel", event => {
    event.preventDefault();
    const [x, y] = where(event), factor = Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.004);
    const w = Math.min(2 * whole.w, Math.max(whole.w / 60, view.w * factor)), k = w / view.w;
    view = { x: x - (x - view.x) * k, y: y - (y - view.y) * k, w, h: view.h * k };
    place();
  }, { passive: false });
  let grip = null;
  root.addEventListener("pointerdown", e => { grip = { x: e.clientX, y: e.clientY, view: { ...view } }; });
  window.addEventListener("pointerup", () => { grip = null; });
  root.addEventListener("pointermove", event => {
    if (grip && event.buttons) {
      const scale = unit();
      view.x = grip.view.x - (event.clientX - grip.x) * scale;
      view.y = grip.view.y - (event.clientY - grip.y) * scale;
      return place();
    }
    const [x, y] = where(event), reach = 9 * unit();
    let best = null, least = reach * reach;
    for (const l of DATA.network.links) {
      const dx = l[4] - l[2], dy = l[5] - l[3], n = dx * dx + dy * dy || 1;
      const f = Math.max(0, Math.min(1, ((x - l[2]) * dx + (y - l[3]) * dy) / n));
      const d = (l[2] + f * dx - x) ** 2 + (l[3] + f * dy - y) ** 2;
      if (d < least) { least = d; best = l; }
    }
    if (!best) return hideTip();
    const share = shares.get(best[0]);
    showTip(event, `${best[1]} ${best[0]}` + (share === undefined ? "" :
      `\nprobability ${(100 * share).toFixed(1)} %\n${lengths.get(best[0]).toFixed(0)} m long`));
  });
  root.addEventListener("mouseleave", hideTip);
  root.addEventListener("dblclick", () => { view = { ...whole }; place(); });
  window.addEventListener("resize", place);

  const legend = document.getElementById("map-legend");
  const have = new Set(DATA.network.sensors.map(s => s[1]));
  const entries = [["pressure", "pressure"], ["flow", "flow"], ["level", "level"], ["demand", "demand"]]
    .filter(e => have.has(e[0]));
  if (DATA.network.sources.length) entries.push(["source", "source or tank"]);
  if (DATA.truth.length) entries.push(["truth", "true leak"]);
  if (DATA.incidents.length) {
    const ramp = html(legend, "span", "", "less likely");
    html(ramp, "span", "ramp");
    ramp.append("most likely");
  }
  for (const [kind, text] of entries) {
    const item = html(legend, "span"), picture = svg(item, "svg", { viewBox: "-8 -7 16 14" });
    const [name, attributes] = SHAPES[kind];
    svg(picture, name, attributes);
    item.append(text);
  }

  function show(incident) {
    lit.replaceChildren();
    chosen.replaceChildren();
    const known = incident ? incident.candidates.filter(c => links.has(c.link)) : [];
    shares = new Map(known.map(c => [c.link, c.share]));
    lengths = new Map(known.map(c => [c.link, c.length_m]));
    const most = Math.max(...known.map(c => c.share), 1e-9);
    for (const c of [...known].reverse())
      svg(lit, "path", { d: line([links.get(c.link)]), stroke: heat(c.share / most), "stroke-width": 6, ...thin });
    if (known.length) mark(chosen, "first", ...middle(links.get(known[0].link)));
    place();
  }
  return { show };
})();
