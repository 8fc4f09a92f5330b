"use strict";
// Tips and zoom of the charts and maps that `figures.html.j2` writes. Pages work without it.
const Explore = (() => {
  const tip = document.getElementById("tip");
  const say = (event, text) => {
    tip.textContent = text;
    tip.hidden = false;
    tip.style.left = Math.max(4, Math.min(event.clientX + 15, innerWidth - tip.offsetWidth - 6)) + "px";
    tip.style.top = Math.max(4, Math.min(event.clientY + 15, innerHeight - tip.offsetHeight - 6)) + "px";
  };
  const hush = () => { tip.hidden = true; };
  const element = (name, attributes, text) => {
    const made = document.createElement(name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // ------------------------------------------------------------------ charts
  let charts = [];
  const STEPS = [60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 345600, 604800, 1209600, 2419200];

  function offset(zone, t) {
    // Seconds that the zone's clock is ahead of UTC.
    const parts = Object.fromEntries(new Intl.DateTimeFormat("en-US", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric",
      hour: "numeric", minute: "numeric", second: "numeric",
    }).formatToParts(new Date(t * 1000)).map(p => [p.type, p.value]));
    return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) / 1000 - t;
  }
  const local = (zone, t) => new Date((t + offset(zone, t)) * 1000).toISOString();

  function ticks(from, to, zone) {
    const step = STEPS.find(s => (to - from) / s <= 7) || 7257600, ahead = offset(zone, from), found = [];
    for (let wall = Math.ceil((from + ahead) / step) * step; wall - ahead <= to; wall += step) {
      const text = new Date(wall * 1000).toISOString();
      const day = new Date(wall * 1000).toLocaleDateString("en-GB", { timeZone: "UTC", day: "numeric", month: "short" });
      found.push([wall - ahead, wall % 86400 ? text.slice(11, 16) : day]);
    }
    return found;
  }

  function nearest(series, t) {
    if (series.t) {
      let low = 0, high = series.t.length - 1;
      while (low < high) { const mid = (low + high) >> 1; if (series.t[mid] < t) low = mid + 1; else high = mid; }
      return low > 0 && t - series.t[low - 1] < series.t[low] - t ? low - 1 : low;
    }
    return Math.max(0, Math.min(series.v.length - 1, Math.round((t - series.t0) / series.step)));
  }
  const timeOf = (series, i) => series.t ? series.t[i] : series.t0 + i * series.step;

  function chart(figure) {
    if (figure.dataset.alive) return;
    figure.dataset.alive = "1";
    const data = JSON.parse(figure.querySelector("script").textContent);
    const plot = figure.querySelector(".plot"), svg = plot.querySelector("svg");
    const one = { figure, data, from: data.start, to: data.end, plot };
    charts.push(one);
    const at = event => Math.max(0, Math.min(1, (event.clientX - plot.getBoundingClientRect().left) / plot.clientWidth));
    const time = share => one.from + share * (one.to - one.from);
    one.show = (from, to) => {
      one.from = from; one.to = to;
      const whole = data.end - data.start;
      svg.setAttribute("viewBox", `${(from - data.start) / whole * 1000} 0 ${(to - from) / whole * 1000} 100`);
      plot.querySelector(".xticks").replaceChildren(...ticks(from, to, data.zone).map(([t, label]) => {
        const tick = element("div", { class: "xtick", style: `left:${(t - from) / (to - from) * 100}%` });
        tick.append(element("span", {}, label));
        return tick;
      }));
      for (const span of plot.querySelectorAll(".span")) {
        span.dataset.left ??= parseFloat(span.style.left);
        span.dataset.width ??= parseFloat(span.style.width);
        const a = data.start + whole * span.dataset.left / 100, b = a + whole * span.dataset.width / 100;
        const left = Math.max(from, a), right = Math.min(to, b);
        span.hidden = right <= left;
        span.style.left = `${(left - from) / (to - from) * 100}%`;
        span.style.width = `${(right - left) / (to - from) * 100}%`;
      }
    };
    const group = () => figure.hasAttribute("data-linked") ? charts.filter(c => c.figure.hasAttribute("data-linked")) : [one];
    let begun = null;
    plot.addEventListener("pointerdown", e => { if (e.pointerType === "mouse") { begun = at(e); plot.setPointerCapture(e.pointerId); } });
    plot.addEventListener("pointermove", event => {
      const share = at(event), t = time(share);
      for (const c of group()) {
        const cursor = c.plot.querySelector(".cursor"), place = (t - c.from) / (c.to - c.from);
        cursor.hidden = place < 0 || place > 1;
        cursor.style.left = `${100 * place}%`;
      }
      if (begun !== null) {
        const brush = plot.querySelector(".brush");
        brush.hidden = false;
        brush.style.left = `${100 * Math.min(begun, share)}%`;
        brush.style.width = `${100 * Math.abs(share - begun)}%`;
      }
      const lines = data.series.filter(s => s.v.length).map(s => {
        const i = nearest(s, t), v = s.v[i];
        if (v === null || Math.abs(timeOf(s, i) - t) > Math.max(2 * (s.step || 0), (one.to - one.from) / 40)) return null;
        return s.low ? `${s.name}: ${s.low[i]} to ${v} ${data.unit}` : `${s.name}: ${v} ${data.unit}`;
      }).filter(Boolean);
      say(event, [`${local(data.zone, t).slice(0, 16).replace("T", " ")} ${data.zone}`, ...lines].join("\n"));
    });
    const stop = () => { begun = null; plot.querySelector(".brush").hidden = true; };
    plot.addEventListener("pointerup", event => {
      const start = begun, share = at(event);
      stop();
      if (start === null || Math.abs(share - start) * plot.clientWidth < 8) return;
      const from = time(Math.min(start, share)), to = time(Math.max(start, share));
      for (const c of group()) c.show(Math.max(from, c.data.start), Math.min(Math.max(to, from + 900), c.data.end));
    });
    plot.addEventListener("pointercancel", stop);
    plot.addEventListener("pointerleave", () => {
      hush();
      for (const c of charts) c.plot.querySelector(".cursor").hidden = true;
    });
    plot.addEventListener("dblclick", () => { for (const c of group()) c.show(c.data.start, c.data.end); });
  }

  // --------------------------------------------------------------------- map
  function map(root) {
    if (root.dataset.alive) return;
    root.dataset.alive = "1";
    const [, , width, height] = root.getAttribute("viewBox").split(" ").map(Number);
    let view = { x: 0, y: 0, w: width, h: height };
    const place = () => root.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
    const where = event => new DOMPoint(event.clientX, event.clientY).matrixTransform(root.getScreenCTM().inverse());
    const zoom = (factor, x, y) => {
      const w = Math.min(1.5 * width, Math.max(width / 50, view.w * factor)), k = w / view.w;
      view = { x: x - (x - view.x) * k, y: y - (y - view.y) * k, w, h: view.h * k };
      place();
    };
    const all = () => { view = { x: 0, y: 0, w: width, h: height }; place(); };
    const buttons = root.closest(".map").querySelector(".zoom");
    buttons.hidden = false;
    buttons.addEventListener("click", event => {
      const asked = event.target.dataset.zoom, x = view.x + view.w / 2, y = view.y + view.h / 2;
      if (asked === "all") all(); else if (asked) zoom(asked === "in" ? 0.7 : 1 / 0.7, x, y);
    });
    // The wheel scrolls the page until the map was chosen.
    root.addEventListener("wheel", event => {
      if (document.activeElement !== root && !event.ctrlKey) return;
      event.preventDefault();
      const p = where(event);
      zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.004), p.x, p.y);
    }, { passive: false });
    root.addEventListener("keydown", event => {
      const x = view.x + view.w / 2, y = view.y + view.h / 2, step = view.w / 8;
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
      if (event.key === "+" || event.key === "=") zoom(0.7, x, y);
      else if (event.key === "-") zoom(1 / 0.7, x, y);
      else if (event.key === "0") all();
      else if (moves[event.key]) { view.x += moves[event.key][0]; view.y += moves[event.key][1]; place(); }
      else return;
      event.preventDefault();
    });
    const pipes = root.querySelector(".pipes"), names = JSON.parse(pipes.dataset.names);
    const ends = pipes.getAttribute("d").split("M").slice(1).map(s => s.split(/[L ]/).map(Number));
    let grip = null;
    root.addEventListener("pointerdown", e => { if (e.pointerType === "mouse") grip = { x: e.clientX, y: e.clientY, view: { ...view } }; });
    addEventListener("pointerup", () => { grip = null; });
    root.addEventListener("pointermove", event => {
      const scale = 1 / root.getScreenCTM().a;
      if (grip && event.buttons) {
        view.x = grip.view.x - (event.clientX - grip.x) * scale;
        view.y = grip.view.y - (event.clientY - grip.y) * scale;
        return place();
      }
      const told = event.target.closest("[data-tip]");
      if (told) return say(event, told.dataset.tip);
      const { x, y } = where(event);
      let best = -1, least = (9 * scale) ** 2;
      ends.forEach(([a, b, c, d], i) => {
        const dx = c - a, dy = d - b, f = Math.max(0, Math.min(1, ((x - a) * dx + (y - b) * dy) / (dx * dx + dy * dy || 1)));
        const far = (a + f * dx - x) ** 2 + (b + f * dy - y) ** 2;
        if (far < least) { least = far; best = i; }
      });
      if (best < 0) hush(); else say(event, names[best]);
    });
    root.addEventListener("pointerleave", hush);
    root.addEventListener("dblclick", all);
  }

  function choose(incident) {
    for (const group of document.querySelectorAll(".network .candidates"))
      group.toggleAttribute("hidden", group.dataset.incident !== incident);
  }

  function start(root = document) {
    charts = charts.filter(c => c.figure.isConnected);
    root.querySelectorAll("figure.chart").forEach(chart);
    root.querySelectorAll("svg.network").forEach(map);
  }
  start();
  return { start, choose, say, hush };
})();
