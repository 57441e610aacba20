// Draws the curves of `figure[data-curves]` with dygraphs: asks for sampled points when the reader comes near, again after zooming,
// and again while a run is going. How they are drawn is in the address, so that a page can be sent as it is seen.
"use strict";

// `data-names` on any element: {run: name}. One run has one colour everywhere.
const runNames = JSON.parse(document.querySelector("[data-names]")?.dataset.names ?? "{}");
const runOrder = Object.keys(runNames);
const isDark = matchMedia("(prefers-color-scheme: dark)").matches;

function runColour(run, index) {
  const place = runOrder.indexOf(run) < 0 ? index : runOrder.indexOf(run);
  if (place < 4 && runOrder.length <= 4) return colour("--curve-" + (place + 1));
  // Golden angle: neighbours in the list are far apart on the wheel.
  return `hsl(${Math.round((215 + place * 137.5) % 360)} ${isDark ? "65% 68%" : "62% 42%"})`;
}

const controls = document.querySelector(".curve-controls");
const settings = { along: "step", smooth: 0, log: false, with: "" };

function readSettings() {
  const query = new URLSearchParams(location.search);
  if (["step", "passed", "time"].includes(query.get("along"))) settings.along = query.get("along");
  settings.smooth = Math.min(0.99, Math.max(0, Number(query.get("smooth")) || 0));
  settings.log = query.get("log") === "1";
  settings.with = query.get("with") ?? "";
  controls.along.value = settings.along;
  controls.smooth.value = settings.smooth;
  controls.log.checked = settings.log;
  controls.with.value = settings.with;
}

function keepSettings() {
  settings.along = controls.along.value;
  settings.smooth = Number(controls.smooth.value);
  settings.log = controls.log.checked;
  settings.with = controls.with.value.trim();
  const query = new URLSearchParams(location.search);
  const usual = { along: "step", smooth: "0", log: "", with: "" };
  for (const [name, value] of Object.entries({ along: settings.along, smooth: String(settings.smooth), log: settings.log ? "1" : "", with: settings.with })) {
    if (value === usual[name]) query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  history.replaceState(null, "", location.pathname + (text ? "?" + text : "") + location.hash);
}

// Exponential moving average, corrected for its start at zero, over the points as they came.
function smoothed(values, weight) {
  if (!weight) return values;
  let sum = 0, steps = 0;
  return values.map((value) => {
    if (value === null) return null;
    sum = sum * weight + value * (1 - weight);
    steps += 1;
    return sum / (1 - Math.pow(weight, steps));
  });
}

class Curve {
  constructor(figure) {
    this.figure = figure;
    this.source = figure.dataset.curves;
    this.legend = document.createElement("div");
    this.legend.className = "legend";
    figure.append(this.legend);
    figure.classList.add("drawn");
    this.full = null;
    this.window = null;
  }

  async load(steps) {
    const query = steps ? `&from=${steps[0]}&to=${steps[1]}` : "";
    const answer = await fetch(this.source + query);
    if (!answer.ok) {
      const error = await answer.json().catch(() => null);
      throw new Error(error?.error?.message ?? "The server did not answer.");
    }
    return (await answer.json()).series;
  }

  async start() {
    try {
      this.full = await this.load();
      this.shown = this.full;
      this.draw();
    } catch (error) {
      this.legend.textContent = error.message;
    }
  }

  async again() {
    if (!this.full || this.window) return;
    const fresh = await this.load().catch(() => null);
    if (!fresh) return;
    this.full = this.shown = fresh;
    this.draw();
  }

  along(series) {
    if (settings.along === "step") return series.step;
    if (settings.along === "time") return series.time;
    const start = series.origin ?? series.time[0] ?? 0;
    return series.time.map((time) => (time - start) / 1000);
  }

  // A row per place on the axis; null where a run has no point there, NaN where it has none that is a number.
  rows() {
    const raw = settings.smooth > 0 && this.shown.length <= 4;
    const width = this.shown.length * (raw ? 2 : 1);
    const at = new Map();
    this.shown.forEach((series, index) => {
      const places = this.along(series), values = smoothed(series.value, settings.smooth);
      places.forEach((place, point) => {
        let row = at.get(place);
        if (!row) at.set(place, (row = new Array(width).fill(null)));
        const fit = (value) => (value === null || (settings.log && value <= 0) ? NaN : value);
        row[index] = fit(values[point]);
        if (raw) row[this.shown.length + index] = fit(series.value[point]);
      });
    });
    const rows = Array.from(at, ([place, row]) => [settings.along === "time" ? new Date(place) : place, ...row]);
    rows.sort((left, right) => left[0] - right[0]);
    return { rows, raw };
  }

  draw() {
    const { rows, raw } = this.rows();
    const series = this.shown;
    if (!rows.length) {
      this.graph?.destroy();
      this.graph = null;
      this.legend.textContent = settings.log ? "No points above zero." : "No points.";
      return;
    }
    const names = series.map((one, index) => runNames[one.run] ?? this.figure.dataset.key ?? String(index));
    // dygraphs wants names that differ.
    const labels = names.map((name, index) => `${name}\u200b${index}`);
    const colours = series.map((one, index) => runColour(one.run, index));
    const all = ["x", ...labels, ...(raw ? labels.map((label) => label + " raw") : [])];
    const faint = Object.fromEntries(labels.map((label) => [label + " raw", { strokeWidth: 0.7, highlightCircleSize: 0 }]));
    const pale = colours.map((one) => `color-mix(in srgb, ${one} 40%, transparent)`);
    this.names = names;
    this.colours = colours;
    this.say(null, null);
    const options = {
      file: rows, labels: all, colors: raw ? [...colours, ...pale] : colours, series: faint, logscale: settings.log,
      drawPoints: rows.length <= 40, dateWindow: this.window,
    };
    if (this.graph && this.columns === all.length && this.kind === settings.along) {
      this.graph.updateOptions(options);
      return;
    }
    this.graph?.destroy();
    this.columns = all.length;
    this.kind = settings.along;
    const { file: _, ...shape } = options;
    const label = (value) => (settings.along === "passed" ? passed(value) : nicely(value));
    const x = { drawGrid: false };
    if (settings.along !== "time") Object.assign(x, { axisLabelFormatter: label });
    this.graph = new Dygraph(this.figure.querySelector(".plot"), rows, {
      ...shape, strokeWidth: 1.5, pointSize: 2.2, highlightCircleSize: 3.5, connectSeparatedPoints: true, gridLineColor: colour("--line"),
      axisLineColor: colour("--line-strong"), axes: { x, y: { axisLabelWidth: 56, axisLabelFormatter: nicely } }, xRangePad: 6, yRangePad: 8, animatedZooms: false,
      highlightCallback: (_event, at, points) => this.say(at, points),
      unhighlightCallback: () => this.say(null, null),
      zoomCallback: (from, to) => this.zoomed(from, to),
    });
  }

  // The legend: names, and values where the pointer is, the greatest first.
  say(at, points) {
    const count = this.names.length;
    const items = this.names.map((name, index) => ({ name, colour: this.colours[index], value: null }));
    if (points) {
      for (const point of points) {
        const index = this.graph.indexFromSetName(point.name) - 1;
        if (index < count) items[index].value = point.yval;
      }
    }
    const shown = points && count > 6 ? items.filter((item) => item.value !== null).sort((left, right) => right.value - left.value) : items;
    this.legend.replaceChildren(
      ...shown.slice(0, 12).map((item) => {
        const part = document.createElement("span");
        const line = document.createElement("i");
        line.style.color = item.colour;
        if (count > 1) part.append(line, item.name);
        if (item.value !== null) {
          const value = document.createElement("b");
          value.textContent = " " + nicely(item.value);
          part.append(value);
        }
        return part;
      }));
    if (shown.length > 12) this.legend.append(`and ${shown.length - 12} more `);
    if (at !== null) this.legend.append(settings.along === "time" ? new Date(at).toLocaleString("en") : settings.along === "passed" ? passed(at) : "step " + nicely(at));
  }

  async zoomed(from, to) {
    if (!this.graph.isZoomed("x")) {
      this.window = null;
      if (this.shown !== this.full) {
        this.shown = this.full;
        this.draw();
      }
      return;
    }
    this.window = [from, to];
    if (this.full.every((series) => series.isWhole)) return;
    // The steps between the known points around the window.
    let low = Infinity, high = -Infinity;
    for (const series of this.full) {
      const places = this.along(series);
      for (let index = 0; index < places.length; index++) {
        const isNear = (places[index + 1] ?? places[index]) >= from && (places[index - 1] ?? places[index]) <= to;
        if (!isNear) continue;
        low = Math.min(low, series.step[index]);
        high = Math.max(high, series.step[index]);
      }
    }
    if (low > high) return;
    const window = this.window;
    const finer = await this.load([low, high]).catch(() => null);
    if (!finer || this.window !== window) return;
    if (settings.along === "passed") finer.forEach((series, index) => { series.origin = this.full[index]?.time[0]; });
    this.shown = finer;
    this.draw();
  }

  fitName() {
    this.figure.hidden = settings.with !== "" && !this.figure.dataset.key.toLowerCase().includes(settings.with.toLowerCase());
  }
}

function passed(seconds) {
  const size = Math.abs(seconds);
  if (size < 120) return nicely(Math.round(seconds * 100) / 100) + " s";
  if (size < 7200) return nicely(Math.round(seconds / 6) / 10) + " min";
  return nicely(Math.round(seconds / 360) / 10) + " h";
}

const curves = new Map();
const near = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const curve = curves.get(entry.target);
    curve.isNear = entry.isIntersecting;
    if (entry.isIntersecting && !curve.isStarted) {
      curve.isStarted = true;
      curve.start();
    } else if (entry.isIntersecting && curve.isLate) {
      curve.isLate = false;
      curve.draw();
    }
  }
}, { rootMargin: "300px" });

function addFigures() {
  for (const figure of document.querySelectorAll("figure[data-curves]")) {
    if (curves.has(figure)) continue;
    const curve = new Curve(figure);
    curves.set(figure, curve);
    curve.fitName();
    near.observe(figure);
  }
}

// Only what can be seen is drawn at once; the rest when the reader comes there.
function redraw() {
  for (const curve of curves.values()) {
    curve.fitName();
    if (!curve.full) continue;
    if (curve.isNear) curve.draw();
    else curve.isLate = true;
  }
}

if (window.Dygraph && controls) {
  readSettings();
  controls.hidden = false;
  addFigures();
  let pending = 0;
  controls.addEventListener("input", () => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => {
      const before = settings.along;
      keepSettings();
      if (before !== settings.along) curves.forEach((curve) => { curve.window = null; curve.shown = curve.full; });
      redraw();
    });
  });
  controls.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("slipway:live", (event) => {
    // Metrics that are new.
    for (const figure of event.detail.querySelectorAll("figure[data-curves]")) {
      const known = Array.from(curves.keys()).some((other) => other.dataset.curves === figure.dataset.curves);
      if (known) continue;
      const group = figure.closest("[data-group]")?.dataset.group ?? "";
      const place = Array.from(document.querySelectorAll("[data-group]")).find((other) => other.dataset.group === group) ?? document.querySelector("[data-group]");
      place?.append(document.importNode(figure, true));
    }
    addFigures();
    curves.forEach((curve) => { if (curve.isNear) curve.again(); });
  });
}
