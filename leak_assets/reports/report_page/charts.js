"use strict";
// The signals: charts over one shared stretch of time, with incidents and true leaks behind.
const Charts = (() => {
  const host = document.getElementById("charts"), S = DATA.signals;
  const LEFT = 52, RIGHT = 8, TOP = 12, BOTTOM = 24, COLORS = ["#0b2f6b", "#1f6feb", "#23a6a6", "#8a5cd1"];
  const whole = [...DATA.period_s];
  let span = [...whole];
  const charts = [];

  function ticks(low, high, count) {
    const rough = (high - low) / count || 1, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map(k => k * power).find(s => s >= rough);
    const out = [];
    for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-9; v += step) out.push(+v.toPrecision(12));
    return out;
  }
  function timeTicks() {
    const steps = [300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 7776000];
    const step = steps.find(s => (span[1] - span[0]) / s <= 11) || 31536000;
    const out = [];
    for (let t = Math.ceil(span[0] / step) * step; t <= span[1]; t += step)
      out.push([t, step < 86400 && t % 86400 ? iso(t).slice(11, 16) : iso(t).slice(5, 10)]);
    return out;
  }

  function make(title, unit, series, range) {
    const box = html(host, "div", "chart"), head = html(box, "div", "head");
    html(head, "b", "", title);
    html(head, "span", "", unit);
    for (const s of series) {
      const entry = html(head, "span");
      html(entry, "i", "swatch").style.background = s.color;
      entry.append(s.name);
    }
    const root = svg(box, "svg", { role: "img", "aria-label": title });
    const chart = { root, series, range, title };
    charts.push(chart);
    listen(chart);
  }

  function draw(chart) {
    const { root, series } = chart, w = root.clientWidth, h = root.clientHeight;
    root.replaceChildren();
    const seen = series.flatMap(s => s.v.filter((v, i) => v !== null && s.t[i] >= span[0] && s.t[i] <= span[1]));
    let [low, high] = chart.range || [
      seen.reduce((a, b) => Math.min(a, b), 0), seen.reduce((a, b) => Math.max(a, b), 0)];
    if (!chart.range) { const room = (high - low || 1) * 0.06; low -= room; high += room; }
    const x = t => LEFT + (t - span[0]) / (span[1] - span[0]) * (w - LEFT - RIGHT);
    const y = v => h - BOTTOM - (v - low) / (high - low) * (h - TOP - BOTTOM);
    chart.time = px => span[0] + (px - LEFT) / (w - LEFT - RIGHT) * (span[1] - span[0]);
    chart.x = x;
    const stretch = (part, top, height, fill) => {
      const a = Math.max(x(part.start_s), LEFT), b = Math.min(x(part.end_s), w - RIGHT);
      if (b > a) svg(root, "rect", { x: a, y: top, width: b - a, height, fill });
    };
    for (const i of DATA.incidents) stretch(i, TOP, h - TOP - BOTTOM, "#fdf0d9");
    for (const v of ticks(low, high, 4)) {
      svg(root, "line", { x1: LEFT, x2: w - RIGHT, y1: y(v), y2: y(v), stroke: v === 0 ? "#8595a3" : "#e3e8ee" });
      svg(root, "text", { x: LEFT - 7, y: y(v) + 4, "text-anchor": "end" }).textContent = v;
    }
    for (const [t, label] of timeTicks()) {
      svg(root, "line", { x1: x(t), x2: x(t), y1: TOP, y2: h - BOTTOM, stroke: "#eef2f5" });
      svg(root, "text", { x: x(t), y: h - 7, "text-anchor": "middle" }).textContent = label;
    }
    for (const t of DATA.truth) stretch(t, 3, 5, "#1a7f4b");
    for (const s of series) {
      let path = "", last = null;
      s.t.forEach((t, i) => {
        const v = s.v[i];
        if (v === null || t < span[0] || t > span[1]) { last = null; return; }
        const at = `${x(t).toFixed(1)} ${y(v).toFixed(1)}`;
        if (s.dots) { if (s.dots[i]) svg(root, "circle", { cx: x(t), cy: y(v), r: 2.3, fill: s.color }); return; }
        path += (last !== null && t - last <= 2.5 * s.step_s ? "L" : "M") + at;
        last = t;
      });
      if (path) svg(root, "path", {
        d: path, fill: "none", stroke: s.color, "stroke-width": s.width || 1.5,
        "stroke-dasharray": s.dash || "none", "stroke-linejoin": "round" });
    }
    if (!seen.length) svg(root, "text", { x: w / 2, y: h / 2, "text-anchor": "middle" }).textContent = "no data";
    chart.cursor = svg(root, "line", { y1: TOP, y2: h - BOTTOM, stroke: "#1b2733", "stroke-dasharray": "3 3", visibility: "hidden" });
    chart.brush = svg(root, "rect", { y: TOP, height: h - TOP - BOTTOM, fill: "#1f6feb", opacity: 0.16, visibility: "hidden" });
  }

  function nearest(times, t) {
    let low = 0, high = times.length - 1;
    while (low < high) { const mid = (low + high) >> 1; if (times[mid] < t) low = mid + 1; else high = mid; }
    return low > 0 && t - times[low - 1] < times[low] - t ? low - 1 : low;
  }

  function listen(chart) {
    const { root } = chart;
    let from = null;
    const at = event => event.clientX - root.getBoundingClientRect().left;
    root.addEventListener("pointerdown", e => { from = at(e); root.setPointerCapture(e.pointerId); });
    root.addEventListener("pointermove", event => {
      const px = at(event), t = chart.time(px);
      for (const c of charts)
        for (const [key, value] of Object.entries({ x1: c.x(t), x2: c.x(t), visibility: "visible" }))
          c.cursor.setAttribute(key, value);
      if (from !== null) {
        chart.brush.setAttribute("x", Math.min(from, px));
        chart.brush.setAttribute("width", Math.abs(px - from));
        chart.brush.setAttribute("visibility", "visible");
      }
      const lines = chart.series.filter(s => s.t.length && !s.dots).map(s => {
        const i = nearest(s.t, t);
        return Math.abs(s.t[i] - t) <= 2 * s.step_s && s.v[i] !== null ? `${s.name}: ${s.v[i]}` : null;
      }).filter(Boolean);
      showTip(event, [`${minuteOf(Math.max(0, t))} UTC`, ...lines].join("\n"));
    });
    root.addEventListener("pointerup", event => {
      const px = at(event), start = from;
      from = null;
      if (start === null || Math.abs(px - start) < 8) { chart.brush.setAttribute("visibility", "hidden"); return; }
      const [a, b] = [chart.time(Math.min(start, px)), chart.time(Math.max(start, px))];
      span = [Math.max(a, whole[0]), Math.max(Math.min(b, whole[1]), a + 1800)];
      redraw();
    });
    root.addEventListener("pointerleave", () => {
      hideTip();
      for (const c of charts) c.cursor.setAttribute("visibility", "hidden");
    });
    root.addEventListener("dblclick", () => { span = [...whole]; redraw(); });
  }

  function redraw() { charts.forEach(draw); }

  const stride = S.score.t.length > 1 ? S.score.t[1] - S.score.t[0] : 1800;
  make("Anomaly score", "0 to 1, windows of 3 h", [
    { name: "score", color: "#1f6feb", t: S.score.t, v: S.score.v, step_s: stride },
    { name: "threshold", color: "#5d6f80", dash: "5 4", width: 1.2, t: S.score.t, v: S.score.threshold, step_s: stride },
    { name: "alarm", color: "#c62b27", t: S.score.t, v: S.score.v, dots: S.score.alarm, step_s: stride },
  ], [-0.03, 1.03]);
  make("Inflow beyond expectation", "m³/h", [
    { name: "residual", color: "#a9c9f5", width: 1, ...S.inflow },
    { name: "mean of 1 h", color: "#0d4ea6", width: 1.8, ...S.inflow_mean },
  ]);
  if (S.pressures.length)
    make("Pressure against expectation", "m, mean of 1 h", S.pressures.map((p, i) => ({ ...p, color: COLORS[i] })));
  redraw();
  window.addEventListener("resize", redraw);
  return { redraw };
})();
