"use strict";
// Choosing an incident: table, chips, map and side panel follow one choice.
(() => {
  const rows = [...document.querySelectorAll("tr[data-incident]")];
  const chips = document.getElementById("map-chips");
  const candidates = document.getElementById("map-candidates");
  const evidence = document.getElementById("map-evidence");

  function bar(parent, label, left, width, color, value, two) {
    const line = html(parent, "div", two ? "bar two" : "bar");
    html(line, "b", "", label).title = label;
    const fill = html(html(line, "span"), "i");
    Object.assign(fill.style, { left: `${left}%`, width: `${width}%`, background: color });
    html(line, "em", "", value);
  }

  function choose(id) {
    const incident = DATA.incidents.find(i => i.id === id) || null;
    for (const row of rows) row.classList.toggle("on", row.dataset.incident === id);
    for (const chip of chips.children) chip.classList.toggle("on", chip.dataset.incident === id);
    candidates.replaceChildren();
    evidence.replaceChildren();
    Map_.show(incident);
    if (!incident) { html(candidates, "p", "none", "No incident."); return; }
    const most = Math.max(...incident.candidates.map(c => c.share), 1e-9);
    for (const c of incident.candidates.slice(0, 10))
      bar(candidates, c.link, 0, 100 * c.share / most, heat(c.share / most),
        `${(100 * c.share).toFixed(1)} %, ${c.length_m.toFixed(0)} m`);
    const furthest = Math.max(...incident.evidence.map(e => Math.abs(e.z)), 1e-9);
    for (const e of incident.evidence.slice(0, 8)) {
      const width = 50 * Math.abs(e.z) / furthest;
      bar(evidence, e.sensor, e.z < 0 ? 50 - width : 50, width, e.z < 0 ? "#1f6feb" : "#c62b27",
        e.residual === null ? `z ${e.z}` : `${e.residual} ${e.unit}`, true);
    }
  }

  for (const row of rows) {
    row.addEventListener("click", () => choose(row.dataset.incident));
    row.addEventListener("keydown", e => { if (e.key === "Enter") choose(row.dataset.incident); });
  }
  for (const i of DATA.incidents) {
    const chip = html(chips, "button", "", `Incident ${i.number}`);
    chip.dataset.incident = i.id;
    chip.addEventListener("click", () => choose(i.id));
  }
  choose(DATA.incidents.length ? DATA.incidents[DATA.incidents.length - 1].id : null);
})();
