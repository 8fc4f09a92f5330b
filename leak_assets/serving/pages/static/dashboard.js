"use strict";
// The dashboard's pages follow the warehouse: parts that changed are replaced, others stay as they are.
(() => {
  const live = document.getElementById("live"), select = document.getElementById("site");
  if (select) select.addEventListener("change", () => select.form.submit());

  document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  // --------------------------------------------------- an incident's candidates on the map
  let chosen = null;
  function choose(id) {
    chosen = id;
    Explore.choose(id);
    for (const one of document.querySelectorAll(".case")) one.classList.toggle("on", one.dataset.incident === id);
  }
  for (const kind of ["pointerover", "focusin"])
    document.addEventListener(kind, event => {
      const one = event.target.closest?.(".case");
      if (one && one.dataset.incident !== chosen) choose(one.dataset.incident);
    });

  // ------------------------------------------------------------------ tips of other marks
  document.addEventListener("pointermove", event => {
    const told = event.target.closest?.("[data-tip]");
    if (told && !told.closest("svg")) Explore.say(event, told.dataset.tip);
    else if (!event.target.closest?.("svg, .plot")) Explore.hush();
  });

  // ---------------------------------------------------- one form at a time, Escape closes it
  document.addEventListener("keydown", event => {
    if (event.key !== "Escape") return;
    const open = document.querySelector(".action[open]");
    if (open) { open.open = false; open.querySelector("summary").focus(); }
  });
  document.addEventListener("click", event => {
    for (const open of document.querySelectorAll(".action[open]")) if (!open.contains(event.target)) open.open = false;
  });
  document.addEventListener("toggle", event => {
    if (event.target.matches?.(".action") && event.target.open) event.target.querySelector("select, textarea, input:not([type=hidden])")?.focus();
  }, true);

  // ------------------------------------------------------------------------ live update
  const parts = root => new Map([...root.querySelectorAll("[data-live]")].map(p => [p.dataset.live, p]));
  // As the server sent them: what a script did to a part since is no change.
  let sent = new Map([...parts(document)].map(([name, part]) => [name, part.innerHTML]));
  let busy = false, again = false;

  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const theirs = parts(fresh), ours = parts(document);
      if ([...theirs.keys()].join() !== [...ours.keys()].join()) { location.reload(); return; }
      for (const [name, part] of ours) {
        const now = theirs.get(name).innerHTML;
        // Nobody's form is taken away while it is filled in.
        if (sent.get(name) === now || part.querySelector(".action[open]") || part.contains(document.activeElement)) continue;
        const open = [...part.querySelectorAll("details")].map(d => d.open), top = [...part.querySelectorAll(".tall, .history")].map(e => e.scrollTop);
        part.innerHTML = now;
        sent.set(name, now);
        part.querySelectorAll("details").forEach((d, i) => { d.open = open[i] ?? d.open; });
        part.querySelectorAll(".tall, .history").forEach((e, i) => { e.scrollTop = top[i] ?? 0; });
        Explore.start(part);
      }
      if (chosen && document.querySelector(`.case[data-incident="${CSS.escape(chosen)}"]`)) choose(chosen);
      live.querySelector("span").textContent = `updated ${new Date().toLocaleTimeString("en-GB")}`;
    } finally {
      busy = false;
      if (again) { again = false; setTimeout(refresh, 500); }
    }
  }

  let source = null;
  function listen() {
    if (source || !live) return;
    const asked = new URLSearchParams({ page: live.dataset.page, version: live.dataset.version });
    source = new EventSource(`/view/events?${asked}`);
    source.onopen = () => { live.classList.add("on"); live.querySelector("span").textContent = "live"; };
    source.onerror = () => { live.classList.remove("on"); live.querySelector("span").textContent = "not live"; };
    source.addEventListener("changed", event => { live.dataset.version = event.data; refresh(); });
  }
  function hang_up() { source?.close(); source = null; }
  // A browser keeps few connections to a server: tabs that nobody sees give theirs back.
  document.addEventListener("visibilitychange", () => { if (document.hidden) hang_up(); else listen(); });
  addEventListener("pagehide", hang_up);
  if (!document.hidden) listen();
})();
