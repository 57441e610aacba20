// Draws the tables of `.chart` figures with dygraphs. Without it every page can be read: the tables stay as they are.
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
  document.querySelectorAll(".chart").forEach(draw);
}
