/* A map's document and what is chosen in it, in Plotly's terms. Nothing here touches the page.

The document is that of midalign_demo/pages.py, which puts `ENGLISH` before this: what to say, by key. `state` is
{look, step, colour, off: {language, script, meaning: sets of hidden groups}, find, lines, selected, hovered}. */

const INK = "#7b8290", RULE = "rgba(123, 130, 144, .45)", CLEAR = "rgba(0, 0, 0, 0)";
const RINGS = ["circle-open", "square-open", "diamond-open"]; // marks of the neighbours in one panel after the other
const RING_COLOUR = "#d1337b";
const TITLE = 44, PANEL = 340, PANEL_NARROW = 290, GAP = 18, NARROW = 620;

/* Plotly reads some HTML and, between dollar signs, TeX. */
function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("$", "&#36;");
}

/* The document's words for a key, or the English ones, with values put in where they have a `{name}`. */
function say(doc, key, values = {}) {
  return (doc.words?.[key] ?? ENGLISH[key]).replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/* What is fixed for a document, found once. */
function prepared(doc) {
  const map = doc.map, parallel = map.sentences.length - map.added;
  const of = {};
  for (const [name, groups] of Object.entries(doc.colourings)) {
    of[name] = new Array(map.sentences.length);
    groups.forEach((group, number) => group.points.forEach((point) => { of[name][point] = number; }));
  }
  const pointsOf = new Map(), english = new Map(), number = map.languages.indexOf("en");
  map.meaning.forEach((meaning, point) => {
    if (!pointsOf.has(meaning)) pointsOf.set(meaning, []);
    pointsOf.get(meaning).push(point);
    if (map.language[point] === number) english.set(meaning, map.sentences[point]);
  });
  const ranges = Array.from({ length: map.dims }, (_, axis) => {
    let low = Infinity, high = -Infinity;
    for (const part of map.slices) for (const place of part.coordinates) {
      low = Math.min(low, place[axis]);
      high = Math.max(high, place[axis]);
    }
    const margin = 0.06 * Math.max(high - low, 1e-6);
    return [low - margin, high + margin];
  });
  return { of, parallel, pointsOf, english, ranges };
}

/* For each point whether it is shown, and whether it or a translation of it has the text that is looked for. */
function visibility(doc, known, state) {
  const { sentences, meaning } = doc.map, wanted = state.find.trim().toLowerCase();
  const shown = sentences.map((_, point) =>
    Object.entries(known.of).every(([name, of]) => !state.off[name].has(of[point])));
  const found = new Set();
  if (wanted) sentences.forEach((text, point) => { if (text.toLowerCase().includes(wanted)) found.add(meaning[point]); });
  return { shown, bright: sentences.map((_, point) => shown[point] && (!wanted || found.has(meaning[point]))), found };
}

/* The languages of which something is shown, whichever sentences are. */
function languagesShown(doc, known, state) {
  const numbers = new Set();
  for (let point = 0; point < known.parallel; point++)
    if (["language", "script"].every((name) => !state.off[name].has(known.of[name][point])))
      numbers.add(doc.map.language[point]);
  return [...numbers].sort((one, other) => one - other).map((number) => doc.map.languages[number]);
}

/* Retrieval accuracy of a slice over the pairs of some languages; null where there is no such pair. */
function accuracyOf(part, tags) {
  const all = [], english = [];
  tags.forEach((one, at) => tags.slice(at + 1).forEach((other) => {
    const value = part.pairs[`${one}-${other}`];
    if (value === undefined) return;
    all.push(value);
    if (one === "en" || other === "en") english.push(value);
  }));
  const mean = (values) => values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
  return { all: mean(all), english: mean(english) };
}

/* The slice that each panel shows. */
function slicesOf(doc, state) {
  const look = doc.looks[state.look];
  return look.panels.map((panel) => ({
    title: panel.title, part: doc.map.slices[panel.steps[Math.min(state.step, panel.steps.length - 1)]],
  }));
}

function axesOf(part, points) {
  const axes = {};
  ["x", "y", "z"].slice(0, part.coordinates[0].length).forEach((name, axis) => {
    axes[name] = points.map((point) => (point === null ? null : part.coordinates[point][axis]));
  });
  return axes;
}

/* From the middle (median) of some translations a line to each; null lifts the pen. */
function spokes(part, bunches) {
  const dims = part.coordinates[0].length, columns = Array.from({ length: dims }, () => []);
  for (const points of bunches) {
    const middle = columns.map((_, axis) => {
      const values = points.map((point) => part.coordinates[point][axis]).sort((one, other) => one - other);
      return (values[(values.length - 1) >> 1] + values[values.length >> 1]) / 2;
    });
    for (const point of points) columns.forEach((column, axis) =>
      column.push(middle[axis], part.coordinates[point][axis], null));
  }
  return Object.fromEntries(columns.map((column, axis) => ["xyz"[axis], column]));
}

/* The overlay that follows the pointer, panel after panel: lines between the translations of one sentence. */
function threads(doc, known, state, shown) {
  const point = state.hovered ?? state.selected;
  const points = point === null ? [] : known.pointsOf.get(doc.map.meaning[point]).filter((other) => shown[other]);
  return slicesOf(doc, state).map(({ part }) => spokes(part, points.length > 1 ? [points] : []));
}

function tracesOf(doc, known, state) {
  const map = doc.map, deep = map.dims === 3, n = map.sentences.length;
  const size = (n <= 100 ? 9 : n <= 600 ? 6.5 : 5) * (deep ? 0.45 : 1);
  const { shown, bright } = visibility(doc, known, state);
  const panels = slicesOf(doc, state), overlays = threads(doc, known, state, shown);
  const bunches = [...known.pointsOf.values()].map((points) => points.filter((point) => bright[point]));
  const dim = map.sentences.map((_, point) => point).filter((point) => shown[point] && !bright[point]);
  const traces = [];
  panels.forEach(({ part }, panel) => {
    const suffix = panel ? String(panel + 1) : "";
    const place = deep ? { scene: `scene${suffix}` } : { xaxis: `x${suffix}`, yaxis: `y${suffix}` };
    const add = (axes, options) => traces.push({
      type: deep ? "scatter3d" : "scatter", mode: "markers", hoverinfo: "none", showlegend: false, ...place, ...axes, ...options,
    });
    add(spokes(part, state.lines ? bunches.filter((points) => points.length > 1) : []),
      { mode: "lines", hoverinfo: "skip", line: { color: deep ? INK : RULE, width: 1 } });
    add(axesOf(part, dim), { customdata: dim, marker: { size, color: INK, opacity: 0.12 } });
    doc.colourings[state.colour].forEach((group) => {
      const points = group.points.filter((point) => bright[point]);
      const own = map.added && group.points[0] >= known.parallel;
      add(axesOf(part, points), {
        customdata: points, name: escaped(group.name), legendgroup: group.name, showlegend: panel === 0,
        marker: { size: own ? 2.2 * size : size, color: group.colour, symbol: group.symbol, opacity: own ? 1 : 0.88,
          line: { width: own ? 1.5 : 0.5, color: own ? "#fff" : INK } },
      });
    });
    add(overlays[panel], { mode: "lines", hoverinfo: "skip", meta: "thread", line: { color: RING_COLOUR, width: deep ? 3 : 1.5 } });
    const chosen = state.selected !== null && shown[state.selected] ? [state.selected] : [];
    panels.forEach(({ part: other }, of) => {
      const near = chosen.length ? other.neighbours[chosen[0]].map((point) => (shown[point] ? point : null)) : [];
      add(axesOf(part, near), {
        hoverinfo: "skip", meta: `near ${of}`,
        marker: { size: size * (2 + 0.6 * of), symbol: RINGS[of % RINGS.length], color: RING_COLOUR, line: { width: 2, color: RING_COLOUR } },
      });
    });
    add(axesOf(part, chosen), {
      hoverinfo: "skip", meta: "chosen", marker: { size: size * 1.9, color: RING_COLOUR, symbol: "diamond", line: { width: 1.5, color: "#fff" } },
    });
  });
  return traces;
}

function number(value) {
  return value === null ? "–" : value.toFixed(2);
}

/* The two lines above each panel: name and layer, and what was measured. Plotly writes from left to right unless told. */
function titlesOf(doc, known, state) {
  const tags = languagesShown(doc, known, state), line = (text) => (doc.dir === "rtl" ? `\u2067${text}\u2069` : text);
  return slicesOf(doc, state).map(({ title, part }) => {
    const { all, english } = accuracyOf(part, tags);
    const measured = say(doc, english === null ? "map_found" : "map_found_english", { english: number(english), all: number(all) });
    const name = `<b>${escaped(title ?? part.label)}</b>`;
    // Another encoder than the base has its own layer, without a number.
    const place = part.layer === null ? name : say(doc, "map_panel", { name, layer: part.layer });
    return [place, measured].map(line).join("<br>");
  });
}

function columnsOf(doc, state, width) {
  return width < NARROW || doc.map.dims === 3 && width < 900 ? 1 : Math.min(2, doc.looks[state.look].panels.length);
}

function layoutOf(doc, known, state, width) {
  const titles = titlesOf(doc, known, state), columns = columnsOf(doc, state, width), deep = doc.map.dims === 3;
  const rows = Math.ceil(titles.length / columns), panel = width < NARROW ? PANEL_NARROW : columns === 1 ? PANEL * 1.25 : PANEL;
  const height = rows * (panel + TITLE), wide = (width - GAP * (columns - 1)) / columns;
  const layout = {
    width, height, margin: { l: 1, r: 1, t: 0, b: 2 }, paper_bgcolor: CLEAR, plot_bgcolor: CLEAR, hovermode: "closest",
    font: { family: "system-ui, 'Noto Sans', sans-serif", size: 12, color: INK }, showlegend: false, uirevision: "kept",
    dragmode: deep ? "orbit" : window.matchMedia("(pointer: coarse)").matches ? false : "pan", annotations: [],
    modebar: { bgcolor: CLEAR, color: INK, activecolor: RING_COLOUR, // the last would upload what people wrote
      remove: ["select", "lasso", "autoscale", "zoom", "toimage", "tablerotation", "sendcharttocloud"] },
  };
  const bare = { showticklabels: false, showgrid: false, zeroline: false, ticks: "" };
  const longest = Math.max(...titles.flatMap((title) => title.replace("<b>", "").split("<br>").map((line) => line.length)));
  const size = Math.max(10, Math.min(13, 1.9 * wide / longest)); // some languages need more letters
  const start = doc.dir === "rtl" ? { side: "right", edge: 1 } : { side: "left", edge: 0 };
  titles.forEach((title, at) => {
    const left = (at % columns) * (wide + GAP), top = Math.floor(at / columns) * (panel + TITLE) + TITLE;
    const across = [left / width, (left + wide) / width], up = [1 - (top + panel) / height, 1 - top / height];
    const suffix = at ? String(at + 1) : "";
    if (deep) {
      const axis = { ...bare, title: { text: "" }, showbackground: false, showline: true, linecolor: INK, showspikes: false };
      layout[`scene${suffix}`] = {
        domain: { x: across, y: up }, aspectmode: "cube", bgcolor: CLEAR, dragmode: "orbit",
        camera: { eye: { x: 1.2, y: 1.2, z: 0.8 } },
        ...Object.fromEntries(known.ranges.map((range, name) => [`${"xyz"[name]}axis`, { ...axis, range: [...range] }])),
      };
    } else {
      const axis = { ...bare, showline: true, mirror: true, linecolor: RULE };
      layout[`xaxis${suffix}`] = { ...axis, domain: across, range: [...known.ranges[0]], anchor: `y${suffix}` };
      layout[`yaxis${suffix}`] = { ...axis, domain: up, range: [...known.ranges[1]], anchor: `x${suffix}` };
    }
    layout.annotations.push({
      text: title, showarrow: false, x: across[start.edge], y: up[1], xref: "paper", yref: "paper",
      xanchor: start.side, yanchor: "bottom", align: start.side, yshift: 3, font: { size },
    });
  });
  return layout;
}
