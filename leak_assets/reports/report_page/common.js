"use strict";
// Shared by map and charts: the page's data, SVG and HTML elements, the tip, dates.
const DATA = JSON.parse(document.getElementById("page-data").textContent);
const SVG_NS = document.getElementById("map-svg").namespaceURI;
const TIP = document.getElementById("tip");

function svg(parent, name, attributes) {
  const element = document.createElementNS(SVG_NS, name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (parent) parent.appendChild(element);
  return element;
}

function html(parent, name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  if (parent) parent.appendChild(element);
  return element;
}

function showTip(event, text) {
  TIP.textContent = text;
  TIP.hidden = false;
  const left = event.clientX + 16;
  TIP.style.left = Math.min(left, window.innerWidth - TIP.offsetWidth - 8) + "px";
  TIP.style.top = Math.min(event.clientY + 14, window.innerHeight - TIP.offsetHeight - 8) + "px";
}

function hideTip() { TIP.hidden = true; }

const iso = seconds => new Date(seconds * 1000).toISOString();
const minuteOf = seconds => iso(seconds).slice(0, 16).replace("T", " ");

function heat(share) {
  const stops = [[247, 200, 115], [224, 86, 27], [140, 16, 16]];
  const at = Math.max(0, Math.min(1, share)) * 2, low = Math.min(1, Math.floor(at));
  const mix = stops[low].map((c, i) => Math.round(c + (stops[low + 1][i] - c) * (at - low)));
  return `rgb(${mix.join(",")})`;
}
