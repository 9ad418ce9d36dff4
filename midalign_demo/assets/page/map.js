/* The interactive map: one implementation for the page of `midalign map` and for the app's tab.

midalignMap(root, {plotly, page}) builds it inside an element and gives {show(document)}.
plotly: gives a promise of Plotly. page: of a document's JSON gives a promise of its page's HTML; or is absent.
Whatever people wrote gets into the page as text nodes, never as HTML. */

const STEP_MS = 800, REST_MS = 350;

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value === "boolean") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function save(name, type, text) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function asTable(map) {
  const cell = (text) => String(text).replace(/[\t\r\n]+/g, " ");
  const axes = ["x", "y", "z"].slice(0, map.dims);
  const head = map.slices.flatMap((part) => axes.map((axis) => `${axis} ${part.label}${part.layer === null ? "" : ` layer ${part.layer}`}`));
  const rows = map.sentences.map((text, point) => [
    map.languages[map.language[point]], map.meaning[point] + 1, text, ...map.slices.flatMap((part) => part.coordinates[point]),
  ]);
  return [["language", "meaning", "sentence", ...head], ...rows].map((row) => row.map(cell).join("\t") + "\n").join("");
}

function midalignMap(root, { plotly, page }) {
  let doc = null, known = null, state = null, Plotly = null, playing = null, parts = {};
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const said = (key, values) => say(doc, key, values);

  function sentence(point, tag = "span") {
    const language = doc.languages[doc.map.language[point]];
    return make(tag, { lang: language.tag, dir: "auto", class: "mm-sentence" }, doc.map.sentences[point]);
  }

  function languageOf(point) {
    return doc.languages[doc.map.language[point]].name;
  }

  /* Embeddings share so much of their direction that all cosines would read 1.00. */
  function angle(cosine) {
    return `${((Math.acos(Math.max(-1, Math.min(1, cosine))) * 180) / Math.PI).toFixed(1)}°`;
  }

  /* Nearest neighbours of a point in a slice, best first; `item` makes an entry of what belongs in it. */
  function neighbours(part, point, item) {
    return part.neighbours[point].map((other, rank) => {
      const same = doc.map.meaning[other] === doc.map.meaning[point];
      const mark = make("span", { class: same ? "mm-yes" : "mm-no" }, same ? "✓" : "✗");
      mark.append(make("span", { class: "mm-spoken" }, ` ${said(same ? "map_translation" : "map_no_translation")}`));
      return item(other, [mark, ` ${angle(part.cosines[point][rank])} `, make("b", {}, languageOf(other)), " ", sentence(other)]);
    });
  }

  function facts(point) {
    const english = known.english.get(doc.map.meaning[point]);
    const own = point >= known.parallel ? ` · ${said("map_own")}` : "";
    const lines = [make("b", {}, languageOf(point) + own), sentence(point, "div")];
    if (english !== undefined && doc.map.sentences[point] !== english) lines.push(make("i", { lang: "en" }, english));
    return lines;
  }

  // What is drawn

  function width() {
    return Math.floor(parts.plot.clientWidth);
  }

  async function draw() {
    if (!width()) return; // in a hidden tab; drawn when it has a size
    const config = {
      displaylogo: false, responsive: false, // fingers need no buttons, and on a narrow page they would hide what was measured
      displayModeBar: width() >= NARROW && (doc.map.dims === 3 || !window.matchMedia("(pointer: coarse)").matches),
    };
    const fresh = !parts.plot.on;
    parts.drawnAt = width();
    await Plotly.react(parts.plot, tracesOf(doc, known, state), layoutOf(doc, known, state, width()), config);
    if (!fresh) return;
    parts.plot.on("plotly_hover", (event) => pointAt(event.points[0]?.customdata, event));
    parts.plot.on("plotly_unhover", () => pointAt(null));
    parts.plot.on("plotly_click", (event) => select(event.points[0]?.customdata ?? null));
  }

  async function drawThreads() {
    const { shown } = visibility(doc, known, state), found = threads(doc, known, state, shown);
    const places = parts.plot.data.flatMap((trace, at) => (trace.meta === "thread" ? [at] : []));
    const change = Object.fromEntries(Object.keys(found[0]).map((axis) => [axis, found.map((one) => one[axis])]));
    await Plotly.restyle(parts.plot, change, places);
  }

  function pointAt(point, event) {
    point = typeof point === "number" ? point : null;
    if (point === state.hovered || playing) return;
    state.hovered = point;
    drawThreads();
    parts.tip.hidden = point === null;
    if (point === null) return;
    const panel = slicesOf(doc, state)[Math.max(0, event.points[0].curveNumber * slicesOf(doc, state).length / parts.plot.data.length | 0)];
    const list = make("ol", {}, ...neighbours(panel.part, point, (_, content) => make("li", {}, ...content)));
    parts.tip.replaceChildren(...facts(point), make("div", { class: "mm-quiet" }, said("map_nearest")), list);
    const frame = parts.plot.getBoundingClientRect(), box = event.points[0].bbox;
    const x = event.event?.clientX !== undefined ? event.event.clientX - frame.left : box.x1;
    const y = event.event?.clientY !== undefined ? event.event.clientY - frame.top : box.y1;
    const left = x + 16 + parts.tip.offsetWidth < frame.width ? x + 16 : Math.max(0, x - 16 - parts.tip.offsetWidth);
    parts.tip.style.left = `${Math.min(left, Math.max(0, frame.width - parts.tip.offsetWidth))}px`;
    parts.tip.style.top = `${Math.max(0, y + 12)}px`;
  }

  // Steps: alignment strengths, or layers

  async function go(step, moving) {
    state.step = step;
    parts.range.value = step;
    tellStep();
    if (!moving || still.matches || !parts.plot.data) await draw();
    else {
      const traces = tracesOf(doc, known, state), motion = { duration: STEP_MS, easing: "cubic-in-out" };
      const places = traces.map(({ x, y, z }) => (z ? { x, y, z } : { x, y }));
      const { annotations } = layoutOf(doc, known, state, width());
      await Plotly.animate(parts.plot, { data: places, traces: places.map((_, at) => at), layout: { annotations } },
        { mode: "immediate", transition: motion, frame: { duration: STEP_MS, redraw: true } }).catch(() => {}); // overtaken
    }
    fillPanel();
    fillTable();
  }

  function stop() {
    playing = null;
    parts.play.replaceChildren(`▶ ${said("map_play")}`);
  }

  async function play() {
    if (playing) return stop();
    const mine = playing = {}, last = doc.looks[state.look].step_names.length - 1;
    parts.play.replaceChildren(`❚❚ ${said("map_pause")}`);
    pointAt(null);
    if (state.step === last) await go(0, false);
    while (playing === mine && state.step < last) {
      await new Promise((resolve) => setTimeout(resolve, still.matches ? STEP_MS : REST_MS));
      if (playing === mine) await go(state.step + 1, true);
    }
    if (playing === mine) stop();
  }

  function tellStep() {
    const look = doc.looks[state.look], name = look.step_names[state.step] ?? "";
    parts.stepName.replaceChildren(`${look.step_label} ${name}`);
    parts.range.setAttribute("aria-valuetext", `${look.step_label} ${name}`);
  }

  // Controls

  function changeLook(number) {
    stop();
    Object.assign(state, { look: number, step: 0, hovered: null });
    const look = doc.looks[number];
    parts.looks.forEach((button, at) => button.setAttribute("aria-pressed", String(at === number)));
    parts.steps.hidden = look.step_names.length < 2;
    parts.range.max = Math.max(0, look.step_names.length - 1);
    refresh();
    go(0, false);
  }

  function refresh() {
    stop();
    const { shown, found } = visibility(doc, known, state), count = shown.filter(Boolean).length;
    const numbers = { shown: count, all: shown.length, n: found.size };
    parts.count.replaceChildren(said(state.find.trim() ? "map_matching" : "map_shown", numbers));
    fillTable();
    return draw();
  }

  function colouring(name) {
    const key = { language: "map_by_language", script: "map_by_script", meaning: "map_by_meaning" }[name];
    return key ? said(key) : name;
  }

  function fillLegend() {
    const groups = doc.colourings[state.colour], off = state.off[state.colour];
    const chips = groups.map((group, number) => {
      const box = make("input", { type: "checkbox", checked: !off.has(number), onchange: () => {
        if (box.checked) off.delete(number); else off.add(number);
        refresh();
      } });
      const shape = { circle: "●", diamond: "◆", square: "■", cross: "✚", x: "✖", star: "★",
        "circle-open": "○", "diamond-open": "◇", "square-open": "□" }[group.symbol];
      const swatch = make("span", { class: "mm-swatch", style: `color: ${group.colour}`, "aria-hidden": "true" }, shape);
      return make("label", { class: "mm-chip" }, box, swatch, make("span", { dir: "auto" }, group.name));
    });
    const all = (on) => make("button", { type: "button", onclick: () => {
      off.clear();
      if (!on) groups.forEach((_, number) => off.add(number));
      fillLegend();
      refresh();
    } }, said(on ? "map_all" : "map_none"));
    parts.legend.replaceChildren(make("legend", {}, said("map_show_by", { colour: colouring(state.colour) })), all(true), all(false), ...chips);
  }

  function fillSentences(language) {
    const entries = doc.map.sentences.flatMap((text, point) =>
      (doc.map.language[point] === language ? [make("option", { value: point }, text)] : []));
    parts.sentence.replaceChildren(make("option", { value: "" }, said("map_choose")), ...entries);
  }

  function select(point) {
    state.selected = point;
    if (point !== null) {
      parts.language.value = doc.map.language[point];
      fillSentences(doc.map.language[point]);
      parts.sentence.value = point;
    }
    fillPanel();
    return draw();
  }

  function fillPanel() {
    if (state.selected === null) {
      parts.panel.replaceChildren(make("p", { class: "mm-quiet" }, said("map_click")));
      return;
    }
    const point = state.selected, panels = slicesOf(doc, state);
    const lists = panels.map(({ title, part }, at) => {
      const items = neighbours(part, point, (other, content) =>
        make("li", {}, make("button", { type: "button", onclick: () => select(other) }, ...content)));
      const ring = ["○", "□", "◇"][at % RINGS.length];
      return make("div", {}, make("h4", {}, make("span", { class: "mm-ring", "aria-hidden": "true" }, ring),
        ` ${said(part.layer === null ? "map_nearest_in_other" : "map_nearest_in", { name: title ?? part.label, layer: part.layer })}`), make("ol", {}, ...items));
    });
    const close = make("button", { type: "button", onclick: () => { select(null); parts.sentence.value = ""; } }, said("map_clear"));
    parts.panel.replaceChildren(make("div", { class: "mm-chosen" }, ...facts(point), " ", close),
      make("p", { class: "mm-quiet" }, said("map_how_near")),
      make("div", { class: "mm-lists" }, ...lists));
  }

  function fillTable() {
    const tags = languagesShown(doc, known, state), look = doc.looks[state.look];
    const row = (title, part) => {
      const { all, english } = accuracyOf(part, tags);
      const met = part.neighbours.slice(0, known.parallel).map((near, point) => doc.map.meaning[near[0]] === doc.map.meaning[point]);
      const share = met.filter(Boolean).length / met.length;
      return make("tr", {}, make("th", { scope: "row" }, title),
        ...[part.layer ?? "–", number(english), number(all), share.toFixed(2)].map((text) => make("td", {}, String(text))));
    };
    const rows = look.panels.flatMap((panel) => panel.steps.map((at) => {
      const part = doc.map.slices[at];
      return row(panel.steps.length > 1 ? part.label : panel.title ?? part.label, part);
    }));
    const meanings = known.pointsOf.size - doc.map.added;
    const head = ["map_head_variant", "map_head_layer", "map_head_english", "map_head_all", "map_head_nearest"];
    const measured = { sentences: meanings, languages: tags.length, tags: tags.join(", "), chance: (1 / meanings).toFixed(2) };
    parts.caption.textContent = said("map_caption", measured);
    parts.table.replaceChildren(
      make("thead", {}, make("tr", {}, ...head.map((key) => make("th", { scope: "col" }, said(key))))),
      make("tbody", {}, ...rows));
  }

  function picture() {
    const layout = layoutOf(doc, known, { ...state }, 1200), dark = "#1f2430";
    layout.annotations.forEach((title) => { title.font = { ...title.font, color: dark }; });
    Object.assign(layout, { paper_bgcolor: "#fff", showlegend: true, height: layout.height + 120,
      legend: { orientation: "h", y: -0.02, font: { color: dark }, itemsizing: "constant" }, margin: { l: 12, r: 12, t: 10, b: 110 } });
    return Plotly.downloadImage({ data: tracesOf(doc, known, state), layout }, { format: "png", filename: "midalign-map", width: 1200, height: layout.height, scale: 2 });
  }

  function build() {
    const chooser = (label, options, onchange) => {
      const menu = make("select", { "aria-label": label, onchange: () => onchange(menu.value) }, ...options.map(([value, text]) => make("option", { value }, text)));
      return { menu, field: make("label", { class: "mm-field" }, label, menu) };
    };
    const colour = chooser(said("map_colour_by"), Object.keys(doc.colourings).map((name) => [name, colouring(name)]), (value) => {
      state.colour = value;
      fillLegend();
      refresh();
    });
    colour.menu.value = state.colour;
    const language = chooser(said("map_language"), doc.languages.map(({ name }, at) => [at, name]), (value) => fillSentences(Number(value)));
    const choice = chooser(said("map_sentence"), [], (value) => select(value === "" ? null : Number(value)));
    const find = make("input", { type: "search", "aria-label": said("map_find"), placeholder: said("map_find_hint"), value: state.find,
      oninput: () => { state.find = find.value; refresh(); } });
    const lines = make("input", { type: "checkbox", checked: state.lines, onchange: () => { state.lines = lines.checked; refresh(); } });
    parts = {
      looks: doc.looks.map((look, at) => make("button", { type: "button", "data-look": look.key, onclick: () => changeLook(at) }, look.name)),
      play: make("button", { type: "button", class: "mm-play", onclick: play }),
      range: make("input", { type: "range", min: 0, step: 1, oninput: () => { stop(); go(Number(parts.range.value), true); } }),
      stepName: make("output", {}), steps: make("div", { class: "mm-steps" }),
      plot: make("div", { class: "mm-plot", role: "group", "aria-label": said("map_plot") }),
      tip: make("div", { class: "mm-tip", role: "tooltip", hidden: true }),
      legend: make("fieldset", { class: "mm-legend" }), count: make("p", { class: "mm-quiet mm-count", role: "status" }),
      language: language.menu, sentence: choice.menu, panel: make("section", { class: "mm-panel", "aria-live": "polite", "aria-label": said("map_neighbours") }),
      caption: make("p", { class: "mm-quiet" }), table: make("table", { class: "mm-table", "aria-label": said("map_table") }),
    };
    parts.range.setAttribute("aria-label", said("map_step"));
    parts.steps.append(parts.play, parts.range, parts.stepName);
    const download = (label, onclick) => make("button", { type: "button", onclick }, label);
    const downloads = [download("PNG", picture), download("JSON", () => save("midalign-map.json", "application/json", JSON.stringify(doc.map))),
      download("TSV", () => save("midalign-map.tsv", "text/tab-separated-values", asTable(doc.map)))];
    if (page) downloads.splice(1, 0, download("HTML", async () => {
      const text = JSON.stringify(doc).replaceAll("<", "\\u003c");
      save("midalign-map.html", "text/html", await page(text));
    }));
    const note = doc.note ? [make("p", { class: "mm-note" }, doc.note)] : [];
    root.replaceChildren(make("div", { class: "mm", lang: doc.lang ?? "en", dir: doc.dir ?? "ltr" }, ...note,
      make("div", { class: "mm-bar" }, ...(doc.looks.length > 1 ? [make("div", { class: "mm-looks", role: "group", "aria-label": said("map_looks") }, ...parts.looks)] : []),
        colour.field, make("label", { class: "mm-field" }, said("map_find"), find), make("label", { class: "mm-chip" }, lines, said("map_lines"))),
      parts.steps, make("div", { class: "mm-stage" }, parts.plot, parts.tip), parts.legend, parts.count,
      make("div", { class: "mm-bar" }, language.field, choice.field), parts.panel, parts.caption, // above the table: a caption would be as wide as it
      make("div", { class: "mm-scroll", tabindex: 0, role: "group", "aria-label": said("map_table") }, parts.table),
      make("div", { class: "mm-bar mm-downloads" }, said("map_download"), ...downloads)));
    fillSentences(0);
    fillLegend();
    fillPanel();
    new ResizeObserver(() => { if (width() && width() !== parts.drawnAt) draw(); }).observe(parts.plot);
  }

  return {
    async show(given) {
      Plotly = await plotly();
      if (playing) stop();
      if (parts.plot) Plotly.purge(parts.plot);
      const before = doc && doc.map.sentences.join() === given.map.sentences.join() ? state : null;
      doc = given;
      known = prepared(doc);
      const nothing = Object.fromEntries(Object.keys(doc.colourings).map((name) => [name, new Set()]));
      state = { look: 0, step: 0, colour: doc.colour_by, off: nothing, find: "", lines: doc.map.sentences.length <= 100, selected: null, ...before, hovered: null };
      build();
      if (state.selected !== null) select(state.selected);
      changeLook(Math.min(state.look, doc.looks.length - 1));
    },
  };
}
