"use strict";

// What the report's page does: draws charts when they come into view, moves the slider, sorts tables, copies commands.
(async () => {
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const CYCLE = ["#3b7dc4", "#d9722b", "#3f9a66", "#a45cb8", "#c2a21f", "#c9506b", "#3aa3a8", "#8a7562", "#6f6fd0", "#7c9a2e"];
  const ROLES = [[/\breal$/, CYCLE[0]], [/\bfake$/, CYCLE[1]], [/^discriminator$/, CYCLE[0]], [/^generator$/, CYCLE[1]]];
  const drawn = new Map(); // from a chart's element to the function that draws it
  const hidden = new Set(); // names of curves that the legend has put away

  async function unpacked(id) {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  let loading = null;
  function plotly() {
    loading ??= unpacked("plotly").then((code) => {
      const script = document.createElement("script");
      script.textContent = code;
      document.head.append(script);
    });
    return loading;
  }

  // --- charts ---------------------------------------------------------------------------------------------------------

  function layout(changes) {
    const axis = { gridcolor: style("--line"), linecolor: style("--line"), zeroline: false, automargin: true };
    return {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: style("--soft"), size: 12, family: "system-ui, sans-serif" },
      margin: { l: 44, r: 8, t: 8, b: 32 },
      hoverlabel: { bgcolor: style("--page"), bordercolor: style("--line"), font: { color: style("--ink") } },
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      showlegend: false,
      legend: { orientation: "h", x: 0, y: -0.16, yanchor: "top" },
      ...changes,
      xaxis: { ...axis, ...changes.xaxis },
      yaxis: { ...axis, ...changes.yaxis },
    };
  }

  function show(place, traces, changes) {
    const config = { displayModeBar: false, responsive: true };
    return Plotly.react(place, traces, layout(changes), config);
  }

  const faded = (colour, share) => colour + Math.round(share * 255).toString(16).padStart(2, "0");

  function colourOf(name, number) {
    const role = ROLES.find(([pattern]) => pattern.test(name));
    return role ? role[1] : CYCLE[number % CYCLE.length];
  }

  function coloursOf(names) {
    const byRole = names.map(colourOf);
    return new Set(byRole).size === names.length ? byRole : names.map((_, k) => CYCLE[k % CYCLE.length]);
  }

  const finite = (values) => values.filter((v) => v !== null);

  // A range that holds the curves and at least the nearer edge of every band, so that it can be seen how far off they are.
  function rangeOf(chart) {
    const values = chart.curves.flatMap((curve) => finite([...curve.y, ...(curve.low ?? []), ...(curve.high ?? [])]));
    if (!values.length) return undefined;
    let low = values.reduce((a, b) => Math.min(a, b));
    let high = values.reduce((a, b) => Math.max(a, b));
    for (const band of chart.bands ?? []) {
      if (band.high !== null) low = Math.min(low, band.high);
      if (band.low !== null) high = Math.max(high, band.low);
    }
    const room = 0.06 * (high - low) || 0.06 * Math.abs(high) || 1;
    return [low - room, high + room];
  }

  function isSpread(chart) {
    if (!/gradient norm|learning rate/.test(chart.title)) return false;
    const values = chart.curves.flatMap((curve) => finite(curve.y));
    const low = Math.min(...values);
    return low > 0 && Math.max(...values) / low > 50;
  }

  function markers(range) {
    const events = data.events ?? [];
    const width = range[1] - range[0] || 1;
    const shapes = [];
    const annotations = [];
    events.forEach((event, k) => {
      const colour = style(event.severity === "failure" ? "--bad" : "--doubt");
      shapes.push({ type: "line", yref: "paper", x0: event.step, x1: event.step, y0: 0, y1: 1, line: { color: colour, width: 1.2, dash: "dash" } });
      annotations.push({
        x: event.step, yref: "paper", y: 1 - 0.1 * (k % 5), yanchor: "top", text: "<b>!</b>", hovertext: escaped(event.title),
        xanchor: (event.step - range[0]) / width > 0.6 ? "right" : "left",
        showarrow: false, font: { color: colour, size: 13 },
      });
    });
    return { shapes, annotations };
  }

  const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  function drawCurves(place, chart) {
    const colours = coloursOf(chart.curves.map((curve) => curve.label ?? curve.name));
    const steps = chart.curves.flatMap((curve) => [curve.x[0], curve.x[curve.x.length - 1]]);
    const marks = markers([Math.min(...steps), Math.max(...steps)]);
    const traces = [];
    chart.curves.forEach((curve, k) => {
      const colour = colours[k];
      const visible = !hidden.has(curve.name);
      const few = curve.x.length < 12;
      if (curve.low) {
        const x = [...curve.x, ...[...curve.x].reverse()];
        const y = [...curve.high, ...[...curve.low].reverse()];
        traces.push({ x, y, visible, fill: "toself", fillcolor: faded(colour, 0.16), line: { width: 0 }, mode: "lines", hoverinfo: "skip", showlegend: false });
      }
      traces.push({
        x: curve.x, y: curve.y, name: escaped(curve.label ?? curve.name), visible, mode: few ? "lines+markers" : "lines",
        line: { color: colour, width: 1.6 }, marker: { size: 5 }, hovertemplate: "%{y:.4g}",
      });
    });
    const shapes = (chart.bands ?? []).map((band) => {
      const k = chart.curves.findIndex((curve) => curve.name === band.name);
      const range = rangeOf(chart) ?? [0, 1];
      const [low, high] = [band.low ?? range[0], band.high ?? range[1]];
      return { type: "rect", xref: "paper", x0: 0, x1: 1, y0: low, y1: high, layer: "below", line: { width: 1, color: faded(colours[k], 0.4) }, fillcolor: faded(colours[k], 0.07) };
    });
    const spread = isSpread(chart);
    const own = chart.curves.length > 1 && !chart.shared;
    return show(place, traces, {
      hovermode: "x unified",
      showlegend: own,
      margin: { l: 44, r: 8, t: 8, b: own ? 58 : 32 },
      xaxis: { tickformat: "~s", hoverformat: ",d" },
      yaxis: spread ? { type: "log", dtick: 1 } : { range: rangeOf(chart) },
      shapes: [...shapes, ...marks.shapes],
      annotations: marks.annotations,
    });
  }

  const inView = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      inView.unobserve(entry.target);
      plotly().then(() => drawn.get(entry.target)());
    }
  }, { rootMargin: "300px" });

  function place(element, draw) {
    drawn.set(element, draw);
    inView.observe(element);
  }

  function redraw() {
    for (const [element, draw] of drawn) if (element.classList.contains("js-plotly-plot")) draw();
  }

  // --- what mattered, of a sweep ----------------------------------------------------------------------------------------

  function scale() {
    return [[0, style("--line")], [1, style("--mark")]];
  }

  function jobsWith(figure) {
    return data.jobs.filter((job) => typeof job.figures[figure] === "number");
  }

  function drawShares(element, figure) {
    const pairs = Object.entries(data.explained[figure] ?? {}).sort((a, b) => a[1] - b[1]);
    const trace = {
      type: "bar", orientation: "h", x: pairs.map((p) => p[1]), y: pairs.map((p) => escaped(p[0])), marker: { color: CYCLE[0] },
      text: pairs.map((p) => `${Math.round(100 * p[1])} %`), textposition: "auto", hoverinfo: "skip",
    };
    return show(element, [trace], { xaxis: { range: [0, 1], tickformat: ".0%" }, yaxis: { type: "category" }, bargap: 0.45 });
  }

  function drawParallel(element, figure) {
    const jobs = jobsWith(figure);
    const values = jobs.map((job) => job.figures[figure]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const part = (v) => (high > low ? (v - low) / (high - low) : 0.5);
    const axes = data.choices.map((choice) => ({ choice, options: data.options[choice] }));
    const at = (axis, option) => (axis.options.length < 2 ? 0.5 : axis.options.indexOf(option) / (axis.options.length - 1));
    const traces = jobs.map((job, k) => ({
      x: [...axes.map((_, n) => n), axes.length],
      y: [...axes.map((axis) => at(axis, job.choices[axis.choice] ?? "–")), part(values[k])],
      mode: "lines", line: { width: 1.6, color: mixed(part(values[k])), shape: "spline", smoothing: 0.6 }, opacity: 0.85,
      name: escaped(job.name), hovertemplate: `${escaped(job.name)}: ${brief(values[k])}<extra></extra>`,
    }));
    const label = (x, y, text, extra = {}) => ({ x, y, text: escaped(text), showarrow: false, bgcolor: faded(style("--sheet"), 0.85), font: { color: style("--ink"), size: 11 }, ...extra });
    const annotations = axes.flatMap((axis, n) => axis.options.map((option) => label(n, at(axis, option), clipped(option), { xanchor: n ? "center" : "left" })));
    annotations.push(label(axes.length, 0, brief(low), { xanchor: "right" }), label(axes.length, 1, brief(high), { xanchor: "right" }));
    [...axes.map((axis) => axis.choice), figure.replace("metrics/", "")].forEach((name, n) => {
      const xanchor = n === 0 ? "left" : n === axes.length ? "right" : "center";
      annotations.push(label(n, 1.14, ended(name, element.clientWidth / axes.length / 9), { xanchor, font: { color: style("--soft"), size: 12 } }));
    });
    const shapes = [...axes, null].map((_, n) => ({ type: "line", x0: n, x1: n, y0: 0, y1: 1, layer: "below", line: { color: style("--line"), width: 1 } }));
    return show(element, traces, {
      hovermode: "closest", annotations, shapes, margin: { l: 8, r: 8, t: 8, b: 12 },
      xaxis: { visible: false, range: [-0.06, axes.length + 0.06] }, yaxis: { visible: false, range: [-0.08, 1.22] },
    });
  }

  const brief = (v) => String(Number(v.toPrecision(4)));
  const clipped = (text) => (text.length > 22 ? `${text.slice(0, 21)}…` : text);

  // The end of a dotted name tells most.
  const ended = (text, room) => (text.length > room ? `…${text.slice(1 - Math.max(4, Math.floor(room)))}` : text);

  function mixed(share) {
    const [from, to] = [[150, 160, 172], [207, 84, 30]];
    return `rgb(${from.map((v, k) => Math.round(v + share * (to[k] - v))).join(",")})`;
  }

  function drawHeat(element, figure) {
    const [down, across] = data.choices.filter((choice) => choice !== "seed").concat("seed").slice(0, 2);
    const [rows, columns] = [data.options[down], data.options[across]];
    const mean = (row, column) => {
      const met = jobsWith(figure).filter((job) => (job.choices[down] ?? "–") === row && (job.choices[across] ?? "–") === column);
      return met.length ? met.reduce((sum, job) => sum + job.figures[figure], 0) / met.length : null;
    };
    const z = rows.map((row) => columns.map((column) => mean(row, column)));
    const trace = {
      type: "heatmap", z, colorscale: scale(), showscale: false, xgap: 2, ygap: 2,
      text: z.map((row) => row.map((v) => (v === null ? "" : brief(v)))), texttemplate: "%{text}", hoverinfo: "skip",
    };
    // Cells stand by number: of long options only the beginning is shown, which others may share.
    const words = (options) => ({ tickvals: options.map((_, k) => k), ticktext: options.map(clipped).map(escaped) });
    const title = (text) => ({ text: escaped(clipped(text)), font: { size: 12 } });
    return show(element, [trace], {
      margin: { l: 44, r: 8, t: 8, b: 48 }, xaxis: { ...words(columns), title: title(across) }, yaxis: { ...words(rows), title: title(down) },
    });
  }

  function whatMattered() {
    const select = document.getElementById("figure");
    if (!select) return;
    const views = { shares: drawShares, parallel: drawParallel, heat: drawHeat };
    for (const [name, draw] of Object.entries(views)) {
      const element = document.getElementById(name);
      if (element) place(element, () => draw(element, select.value));
    }
    select.addEventListener("change", redraw);
  }

  // What Optuna drew of a search, in the page's own colours.
  function studyPlots() {
    data.study?.forEach((plot, number) => {
      const element = document.getElementById(`study-${number}`);
      const traces = plot.data.map((trace, k) => ({
        ...trace, marker: { ...trace.marker, color: CYCLE[k] }, ...(trace.mode === "markers" ? {} : { line: { color: CYCLE[k] } }),
        ...(trace.type === "bar" ? { textposition: "auto" } : {}),
      }));
      const legend = { orientation: "h", x: 1, xanchor: "right", y: 1, yanchor: "bottom" };
      const axis = (held) => ({ title: { text: escaped(held?.title?.text ?? "") } });
      const changes = { legend, showlegend: traces.length > 1, xaxis: axis(plot.layout.xaxis), yaxis: axis(plot.layout.yaxis) };
      if (element) place(element, () => show(element, traces, changes));
    });
  }

  function sharedLegend() {
    all(".legend button").forEach((button, k) => {
      button.querySelector("i").style.background = CYCLE[k % CYCLE.length];
      button.addEventListener("click", () => {
        const off = button.getAttribute("aria-pressed") === "true";
        button.setAttribute("aria-pressed", String(!off));
        hidden[off ? "add" : "delete"](button.dataset.curve);
        redraw();
      });
    });
  }

  // --- slider, tables, small things -------------------------------------------------------------------------------------

  function slider() {
    const pictures = data.pictures ?? [];
    const input = document.getElementById("step");
    if (!input || pictures.length < 2) return;
    const [image, output, play] = ["generated", "at", "play"].map((id) => document.getElementById(id));
    let timer = null;
    const at = (k) => {
      image.src = pictures[k].src;
      input.value = k;
      output.textContent = `step ${pictures[k].step.toLocaleString("en")}`;
      input.setAttribute("aria-valuetext", output.textContent);
    };
    const stop = () => {
      clearInterval(timer);
      timer = null;
      play.textContent = "play";
    };
    input.max = pictures.length - 1;
    at(pictures.length - 1);
    input.parentElement.hidden = false;
    input.addEventListener("input", () => { stop(); at(Number(input.value)); });
    play.addEventListener("click", () => {
      if (timer) return stop();
      play.textContent = "stop";
      if (Number(input.value) === pictures.length - 1) at(0);
      timer = setInterval(() => {
        const next = Number(input.value) + 1;
        if (next < pictures.length) at(next);
        if (next >= pictures.length - 1) stop();
      }, Math.max(150, 5000 / pictures.length));
    });
  }

  function sortable(table) {
    const heads = all("th", table);
    const body = table.tBodies[0];
    heads.forEach((head, column) => {
      const button = head.querySelector("button");
      button?.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
        const rows = [...body.rows].sort((a, b) => ordered(key(a), key(b), down));
        body.append(...rows);
      });
    });
  }

  // Numbers as numbers, words as words; what is missing stands last either way.
  function ordered(a, b, down) {
    const missing = [a, b].map((v) => v === "" || v === "–");
    if (missing[0] || missing[1]) return missing[0] - missing[1];
    const [x, y] = [Number(a), Number(b)];
    const sign = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
    return down ? -sign : sign;
  }

  function copying() {
    for (const button of all("button.copy")) {
      if (!navigator.clipboard) continue;
      button.hidden = false;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent).then(
          () => { button.textContent = "copied"; },
          () => { button.textContent = "select it by hand"; },
        );
        setTimeout(() => { button.textContent = "copy"; }, 2000);
      });
    }
  }

  function theme() {
    const button = document.getElementById("theme");
    const system = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
    const name = () => { button.textContent = isDark() ? "light" : "dark"; };
    button.addEventListener("click", () => {
      document.documentElement.dataset.theme = isDark() ? "light" : "dark";
      name();
      redraw();
    });
    system.addEventListener("change", () => { name(); redraw(); });
    button.hidden = false;
    name();
  }

  function enlarging() {
    for (const button of all(".grids button")) {
      button.addEventListener("click", () => button.closest("figure").classList.toggle("large"));
    }
  }

  theme();
  all("table.sortable").forEach(sortable);
  copying();
  enlarging();
  if (typeof DecompressionStream === "undefined") {
    for (const element of all(".chart")) element.textContent = "This browser is too old to draw charts: open the report in a newer one.";
    return;
  }
  const data = JSON.parse(await unpacked("data"));
  slider();
  sharedLegend();
  whatMattered();
  studyPlots();
  for (const element of all("[data-chart]")) {
    place(element, () => drawCurves(element, data.charts[Number(element.dataset.chart)]));
  }
  document.documentElement.dataset.ready = "yes";
})();
