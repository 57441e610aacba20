// Draws the tables of a comparison: parallel coordinates and a scatter plot, with dygraphs.
"use strict";

// Columns of the tables by name: {name, kind, texts, numbers} with one entry per run, in the order of the page.
function readColumns() {
  const columns = [];
  for (const table of document.querySelectorAll("table.compare:not([data-kind=tags])")) {
    for (const row of table.tBodies[0].rows) {
      const cells = Array.from(row.cells).slice(1);
      const texts = cells.map((cell) => (cell.querySelector(".none") ? null : cell.textContent));
      const numbers = cells.map((cell) => (cell.dataset.v === undefined ? null : Number(cell.dataset.v)));
      const isNumber = texts.every((text, index) => text === null || numbers[index] !== null);
      const known = Array.from(new Set(texts.filter((text) => text !== null)));
      const sorted = known.toSorted((left, right) => left.localeCompare(right, "en", { numeric: true }));
      columns.push({
        name: row.cells[0].dataset.key, kind: table.dataset.kind, texts, isNumber, differs: row.querySelector(".differs") !== null,
        values: isNumber ? numbers : texts.map((text) => (text === null ? null : sorted.indexOf(text))), words: isNumber ? null : sorted,
      });
    }
  }
  return columns;
}

const columns = readColumns();
const runs = runOrder;
const spell = (column, value) => (column.words ? column.words[Math.round(value)] ?? "" : nicely(value));
const runAddress = (run) => document.querySelector(`.swatch[data-run="${run}"]`)?.parentElement.querySelector("a")?.href;

document.querySelectorAll(".swatch").forEach((swatch) => { swatch.style.background = runColour(swatch.dataset.run, 0); });

function legendOf(place, run, parts) {
  place.replaceChildren();
  if (run === null) return;
  const item = document.createElement("span");
  const line = document.createElement("i");
  line.style.color = runColour(run, 0);
  const name = document.createElement("b");
  name.textContent = runNames[run];
  item.append(line, name);
  place.append(item);
  for (const [name, value] of parts) {
    const part = document.createElement("span");
    part.textContent = `${name} ${value}`;
    place.append(part);
  }
}

class Parallel {
  constructor(figure) {
    this.figure = figure;
    // A name with a slash is one of many of its kind.
    const metrics = columns.filter((column) => column.kind === "metrics" && column.differs).toSorted((left, right) => left.name.includes("/") - right.name.includes("/"));
    this.axes = new Set([...columns.filter((column) => column.kind === "params" && column.differs).slice(0, 6), ...metrics.slice(0, 4)]);
    const groups = figure.querySelector(".groups");
    for (const kind of ["params", "metrics"]) {
      const all = columns.filter((column) => column.kind === kind);
      if (!all.length) continue;
      const set = document.createElement("fieldset");
      const legend = document.createElement("legend");
      legend.textContent = kind;
      const ticks = document.createElement("div");
      ticks.className = "ticks";
      for (const column of all) {
        const label = document.createElement("label");
        label.className = "tick";
        const box = document.createElement("input");
        box.type = "checkbox";
        box.checked = this.axes.has(column);
        box.addEventListener("change", () => {
          if (box.checked) this.axes.add(column);
          else this.axes.delete(column);
          this.draw();
        });
        label.append(box, column.name);
        ticks.append(label);
      }
      set.append(legend, ticks);
      groups.append(set);
    }
    this.draw();
  }

  draw() {
    const axes = columns.filter((column) => this.axes.has(column)).toSorted((left, right) => (left.kind === right.kind ? 0 : left.kind === "params" ? -1 : 1));
    this.graph?.destroy();
    this.graph = null;
    const legend = this.figure.querySelector(".legend");
    if (axes.length < 2) {
      legend.textContent = "Choose two axes or more.";
      return;
    }
    legendOf(legend, null);
    const ends = axes.map((column) => {
      const known = column.values.filter((value) => value !== null);
      return [Math.min(...known), Math.max(...known)];
    });
    const place = (axis, run) => {
      const value = axes[axis].values[run], [low, high] = ends[axis];
      return value === null ? NaN : high === low ? 0.5 : (value - low) / (high - low);
    };
    const rows = axes.map((_, axis) => [axis, ...runs.map((_, run) => place(axis, run))]);
    this.graph = new Dygraph(this.figure.querySelector(".plot"), rows, {
      labels: ["axis", ...runs], colors: runs.map((run) => runColour(run, 0)), strokeWidth: runs.length > 30 ? 0.8 : 1.4, drawPoints: true, pointSize: 2,
      highlightSeriesOpts: { strokeWidth: 3.5, highlightCircleSize: 4 }, highlightSeriesBackgroundAlpha: isDark ? 0.35 : 0.5,
      highlightSeriesBackgroundColor: colour("--surface"), valueRange: [-0.12, 1.12], dateWindow: [-0.3, axes.length - 0.7],
      axes: { x: { drawGrid: false, drawAxis: true, axisLabelWidth: 110, ticker: () => axes.map((column, index) => ({ v: index, label: escaped(column.name) })) }, y: { drawAxis: false, drawGrid: false } },
      interactionModel: {}, axisLineColor: colour("--line-strong"),
      highlightCallback: (_event, _x, _points, _row, run) => {
        if (run === undefined) return;
        this.run = run;
        const index = runs.indexOf(run);
        legendOf(legend, run, axes.map((column) => [column.name, column.texts[index] ?? "–"]));
      },
      unhighlightCallback: () => { this.run = null; legendOf(legend, null); },
      clickCallback: () => this.open(),
      underlayCallback: (canvas, area, graph) => {
        canvas.save();
        canvas.strokeStyle = colour("--line-strong");
        canvas.fillStyle = colour("--ink-3");
        canvas.font = "11px sans-serif";
        canvas.textAlign = "center";
        axes.forEach((column, index) => {
          const x = Math.round(graph.toDomXCoord(index)) + 0.5, top = graph.toDomYCoord(1), bottom = graph.toDomYCoord(0);
          canvas.beginPath();
          canvas.moveTo(x, top);
          canvas.lineTo(x, bottom);
          canvas.stroke();
          canvas.fillText(spell(column, ends[index][1]), x, top - 5);
          canvas.fillText(spell(column, ends[index][0]), x, bottom + 13);
        });
        canvas.restore();
      },
    });
    this.figure.querySelector(".plot").onclick = () => this.open();
  }

  open() {
    const address = this.run && runAddress(this.run);
    if (address) location.href = address;
  }
}

class Scatter {
  constructor(figure) {
    this.figure = figure;
    this.across = figure.querySelector("[name=across]");
    this.up = figure.querySelector("[name=up]");
    for (const select of [this.across, this.up]) {
      for (const kind of ["params", "metrics"]) {
        const group = document.createElement("optgroup");
        group.label = kind;
        columns.forEach((column, index) => { if (column.kind === kind) group.append(new Option(column.name, String(index))); });
        if (group.children.length) select.append(group);
      }
      select.addEventListener("change", () => this.draw());
    }
    const first = (kind) => columns.findIndex((column) => column.kind === kind && column.differs);
    const across = Math.max(columns.findIndex((column) => column.kind === "params" && column.differs && column.isNumber), 0);
    this.across.value = String(across);
    this.up.value = String(Math.max(first("metrics"), 0));
    this.draw();
  }

  draw() {
    const across = columns[Number(this.across.value)], up = columns[Number(this.up.value)];
    const legend = this.figure.querySelector(".legend");
    this.graph?.destroy();
    this.graph = null;
    const points = runs.map((run, index) => ({ run, index, x: across.values[index], y: up.values[index] })).filter((point) => point.x !== null && point.y !== null);
    if (!points.length) {
      legend.textContent = "No run has both.";
      return;
    }
    legendOf(legend, null);
    points.sort((left, right) => left.x - right.x);
    const rows = points.map((point, row) => [point.x, ...points.map((_, index) => (index === row ? point.y : null))]);
    const xs = points.map((point) => point.x), ys = points.map((point) => point.y);
    const wide = (values) => {
      const low = Math.min(...values), high = Math.max(...values), air = (high - low || Math.abs(high) || 1) * 0.08;
      return [low - air, high + air];
    };
    const axis = (column) => (column.words ? { ticker: () => column.words.map((word, index) => ({ v: index, label: escaped(word) })) } : { axisLabelFormatter: nicely });
    this.graph = new Dygraph(this.figure.querySelector(".plot"), rows, {
      labels: ["x", ...points.map((point) => point.run)], colors: points.map((point) => runColour(point.run, 0)), strokeWidth: 0, drawPoints: true, pointSize: 5,
      highlightCircleSize: 7, dateWindow: wide(xs), valueRange: wide(ys), gridLineColor: colour("--line"), axisLineColor: colour("--line-strong"), animatedZooms: false,
      axes: { x: { ...axis(across), axisLabelWidth: 90 }, y: { ...axis(up), axisLabelWidth: 70 } }, xlabel: escaped(across.name), ylabel: escaped(up.name), xLabelHeight: 20,
      interactionModel: {},
      highlightSeriesOpts: { highlightCircleSize: 7 },
      highlightSeriesBackgroundAlpha: 1,
      highlightCallback: (_event, _x, _points, _row, run) => {
        const point = points.find((one) => one.run === run);
        if (!point) return;
        this.run = run;
        legendOf(legend, run, [[across.name, across.texts[point.index]], [up.name, up.texts[point.index]]]);
      },
      unhighlightCallback: () => { this.run = null; legendOf(legend, null); },
    });
    this.figure.querySelector(".plot").onclick = () => {
      const address = this.run && runAddress(this.run);
      if (address) location.href = address;
    };
  }
}

if (window.Dygraph && columns.length > 1) {
  const part = document.getElementById("drawings");
  part.querySelectorAll("[hidden]").forEach((one) => { one.hidden = false; });
  for (const [selector, Kind] of [[".parallel", Parallel], [".scatter", Scatter]]) {
    const figure = part.querySelector(selector);
    figure.classList.add("drawn");
    new Kind(figure);
  }
}
