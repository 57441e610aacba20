// Draws the tables of `.chart` figures with dygraphs, and keeps what is going on up to date. Without it every page can be read.
"use strict";

const style = getComputedStyle(document.documentElement);
const colour = (name) => style.getPropertyValue(name).trim();

function readTable(figure) {
  const table = figure.querySelector("table");
  const names = Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent);
  const labels = [];
  const rows = Array.from(table.tBodies[0].rows, (row) => {
    labels.push(row.cells[0].textContent);
    return Array.from(row.cells, (cell) => (cell.dataset.v === undefined ? null : Number(cell.dataset.v)));
  });
  return { names, labels, rows };
}

function nicely(value) {
  if (value === null || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && size < 0.001) return value.toExponential(2);
  return value.toLocaleString("en", { maximumFractionDigits: size >= 100 ? 1 : 4 });
}

// dygraphs takes axis labels as markup.
function escaped(text) {
  return text.replace(/[&<>]/g, (letter) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[letter]);
}

// dygraphs' own legend writes style attributes, which the content security policy refuses; this one uses classes and text nodes.
function legend(place, names, labels, rows, x, values) {
  place.replaceChildren();
  names.slice(1).forEach((name, index) => {
    const item = document.createElement("span");
    item.className = "c" + ((index % 5) + 1);
    item.append(document.createElement("i"), name);
    if (values) {
      const value = document.createElement("b");
      value.textContent = " " + nicely(values[index]);
      item.append(value);
    }
    place.append(item);
  });
  if (x !== null) place.append(x);
}

function draw(figure) {
  if (!figure.querySelector("table")) return;
  const { names, labels, rows } = readTable(figure);
  if (rows.length < 2) return;
  const kind = figure.dataset.axis;
  const reference = figure.dataset.reference === undefined ? null : Number(figure.dataset.reference);
  const data = rows.map((row, index) => [kind === "time" ? new Date(row[0]) : kind === "names" ? index : row[0], ...row.slice(1)]);
  const all = rows.flatMap((row) => row.slice(1)).concat(reference === null ? [] : [reference]).filter((value) => value !== null);
  const low = Math.min(...all), high = Math.max(...all), air = (high - low || Math.abs(high) || 1) * 0.12;
  const place = document.createElement("div");
  place.className = "legend";
  figure.querySelector("details").before(place);
  figure.classList.add("drawn");
  figure.querySelector("details").open = false;
  const axes = { x: { drawGrid: false }, y: { axisLabelWidth: 52, axisLabelFormatter: nicely } };
  if (kind === "names") {
    const every = Math.ceil(labels.length / 8);
    axes.x.ticker = () => labels.map((label, index) => ({ v: index, label: index % every === 0 ? escaped(label) : "" }));
  }
  const plain = names.length > 2 || reference !== null;
  new Dygraph(figure.querySelector(".plot"), data, {
    labels: names,
    colors: names.slice(1).map((_, index) => colour("--curve-" + ((index % 5) + 1))),
    strokeWidth: 1.6, drawPoints: rows.length <= 40, pointSize: 2.5, highlightCircleSize: 4, connectSeparatedPoints: true,
    gridLineColor: colour("--line"), axisLineColor: colour("--line-strong"),
    valueRange: [figure.dataset.zero === undefined ? low - air : 0, high + air], axes, labelsUTC: true, xRangePad: 6, fillGraph: !plain,
    animatedZooms: false,
    highlightCallback: (_event, x, _points, index) => legend(place, names, labels, rows, labels[index], rows[index].slice(1)),
    unhighlightCallback: () => legend(place, names, labels, rows, null, null),
    underlayCallback: (canvas, area, graph) => {
      if (reference === null) return;
      const y = graph.toDomYCoord(reference);
      canvas.save();
      canvas.strokeStyle = colour("--curve-5");
      canvas.setLineDash([4, 4]);
      canvas.beginPath();
      canvas.moveTo(area.x, y);
      canvas.lineTo(area.x + area.w, y);
      canvas.stroke();
      canvas.restore();
    },
  });
  legend(place, names, labels, rows, null, null);
}

if (window.Dygraph) {
  // Its legend writes style attributes even when it shows nothing.
  Dygraph.PLUGINS = Dygraph.PLUGINS.filter((plugin) => plugin !== Dygraph.Plugins.Legend);
  document.querySelectorAll(".chart:not([data-curves])").forEach(draw);
}

// --- Parts that change while a page is open: asked for again every `data-live` seconds, while somebody looks ---

// What the reader has ticked, opened or stands on outlives the new text.
function replaceLive(old, fresh) {
  const ticked = new Set(Array.from(old.querySelectorAll("input:checked"), (box) => box.value));
  const opened = new Set(Array.from(old.querySelectorAll("details[open][id]"), (part) => part.id));
  const focus = old.contains(document.activeElement) ? document.activeElement : null;
  const places = Array.from(old.querySelectorAll(".scroll"), (part) => [part.scrollLeft, part.scrollTop]);
  fresh.querySelectorAll("input[type=checkbox]").forEach((box) => { box.checked = ticked.has(box.value); });
  fresh.querySelectorAll("details[id]").forEach((part) => { part.open = part.open || opened.has(part.id); });
  old.replaceWith(fresh);
  fresh.querySelectorAll(".scroll").forEach((part, index) => { [part.scrollLeft, part.scrollTop] = places[index] ?? [0, 0]; });
  if (focus) {
    const same = Array.from(fresh.querySelectorAll(focus.tagName)).find((other) => (focus.value ? other.value === focus.value : other.href === focus.href));
    same?.focus({ preventScroll: true });
  }
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  // A session that ended leads elsewhere: the page stays as it was.
  if (!answer.ok || answer.redirected) return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(old.id);
    if (!fresh) continue;
    if (fresh.innerHTML !== old.innerHTML || fresh.dataset.live !== old.dataset.live) replaceLive(old, document.importNode(fresh, true));
  }
  document.dispatchEvent(new CustomEvent("slipway:live", { detail: page }));
  countPicked();
  return true;
}

function watch() {
  const parts = Array.from(document.querySelectorAll("[data-live]"), (part) => Number(part.dataset.live));
  if (!parts.length) return;
  const wait = Math.max(1, Math.min(...parts)) * 1000;
  setTimeout(async () => {
    let more = true;
    if (!document.hidden) more = await refresh().catch(() => true);
    if (more) watch();
  }, wait);
}
watch();

// --- Rows to tick: a button says how many there are and waits until there are enough ---

function countPicked() {
  for (const form of document.querySelectorAll("form.picking")) {
    const picked = form.querySelectorAll("tbody input:checked").length;
    const button = form.querySelector("button[data-picked]");
    button.disabled = picked < Number(button.dataset.picked);
    form.querySelector(".picked").textContent = picked ? String(picked) : "the ticked";
  }
}
let lastPicked = null;
document.addEventListener("click", (event) => {
  const box = event.target;
  if (!(box instanceof HTMLInputElement) || box.type !== "checkbox" || !box.closest("form.picking tbody")) return;
  // With the shift key everything between two boxes.
  const boxes = Array.from(box.closest("tbody").querySelectorAll("input[type=checkbox]"));
  const from = boxes.findIndex((other) => other.value === lastPicked), to = boxes.indexOf(box);
  if (event.shiftKey && from >= 0) boxes.slice(Math.min(from, to), Math.max(from, to) + 1).forEach((other) => { other.checked = box.checked; });
  lastPicked = box.value;
});
document.addEventListener("change", countPicked);
countPicked();

// --- Addresses that MLflow's client prints: what stands behind '#' reaches only this script ---

if (location.hash.startsWith("#/")) {
  const form = document.querySelector("main.door form");
  if (form) {
    // Not signed in yet: kept for afterwards.
    let next = form.querySelector("[name=next]");
    if (!next) {
      next = document.createElement("input");
      next.type = "hidden";
      next.name = "next";
      next.value = "/";
      form.append(next);
    }
    next.value += location.hash;
  } else {
    const environment = /^\/(dev|stage|prod)\/?$/.exec(location.pathname)?.[1] ?? (location.pathname === "/" ? "dev" : null);
    if (environment) location.replace(`/${environment}/go?to=${encodeURIComponent(location.hash.slice(2))}`);
  }
}
