"use strict";
// Choosing an incident: table, chips, map and side panel follow one choice.
(() => {
  const choose = id => {
    Explore.choose(id);
    for (const one of document.querySelectorAll("tr[data-incident], .chips [data-incident]"))
      one.classList.toggle("on", one.dataset.incident === id);
    for (const panel of document.querySelectorAll(".of-incident")) panel.hidden = panel.dataset.incident !== id;
  };
  for (const one of document.querySelectorAll("tr[data-incident], .chips [data-incident]")) {
    one.addEventListener("click", () => choose(one.dataset.incident));
    one.addEventListener("keydown", e => { if (e.key === "Enter") choose(one.dataset.incident); });
  }
  const chip = document.querySelector(".chips .on");
  if (chip) choose(chip.dataset.incident);
})();
