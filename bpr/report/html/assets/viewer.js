// The dialog that shows one mask: slider, modes, facts, and the places where its boundary changed most.
"use strict";

(function (report) {
  const { element, rows, stage } = report;
  const find = (id) => document.getElementById(id);
  const MODES = ["masks", "contours", "errors", "photo"];
  const titles = globalThis.bprReportData.metrics;

  function key(kind, text) {
    return element("span", `key ${kind}`, text);
  }

  function legend(mode, hasTruth) {
    const truth = hasTruth ? [key("truth", "ground truth")] : [];
    if (mode === "photo") return [];
    if (mode === "errors") {
      const words = hasTruth ? ["outside the object", "missing"] : ["added", "taken away"];
      return [key("extra", words[0]), key("missing", words[1]), ...truth];
    }
    return [key("coarse", "before"), key("refined", "after"), ...(mode === "contours" ? truth : [])];
  }

  /** [name, value, kind] for everything that is known about a row. */
  function facts(row) {
    const kind = { improved: "gain", harmed: "harm" }[row.verdict] ?? "";
    const change = ([before, after]) => `${before.toFixed(1)} → ${after.toFixed(1)}  (${rows.signed(after - before)})`;
    const compared = row.metrics && [
      ...Object.entries(titles).map(([name, title]) => [title, change(row.metrics[name]), name === "iou" ? kind : ""]),
      ["now right", `${row.pixels.fixed} px`],
      ["now wrong", `${row.pixels.leaked + row.pixels.lost} px: ${row.pixels.leaked} added outside, ${row.pixels.lost} cut off`],
    ];
    return [
      ...(compared || [["IoU(before, after)", row.agreement.toFixed(1)]]),
      ["area", `${row.area} px, ${row.size}; ${rows.signed(row.areaChange)} %`],
      ...(row.score === null ? [] : [["score", row.score.toFixed(3)]]),
      ...(row.judged ? [["verdict", `${rows.judged(row)}, moved ${row.judged.moved_px.toFixed(1)} px`]] : []),
      ["image", row.image],
      ...(row.id === undefined ? [] : [["id", row.id]]),
    ];
  }

  class Viewer {
    /** `leave` is called when the dialog closes. */
    constructor(dialog, leave) {
      Object.assign(this, { dialog, leave, list: [], row: null, place: null, mode: MODES[0] });
      find("slider").addEventListener("input", () => this.slide());
      find("modes").addEventListener("change", (event) => this.setMode(event.target.value));
      find("previous").addEventListener("click", () => this.step(-1));
      find("next").addEventListener("click", () => this.step(1));
      find("close").addEventListener("click", () => dialog.close());
      find("decide")?.addEventListener("click", () => this.step(1));
      addEventListener("decision", () => this.row && report.decisions.show(find("decide"), this.row));
      dialog.addEventListener("close", () => this.close());
      dialog.addEventListener("keydown", (event) => this.press(event));
      new ResizeObserver(() => this.row && this.draw()).observe(find("stage"));
    }

    /** Show `row`; the next and the previous one are its neighbours in `list`. */
    open(row, list) {
      Object.assign(this, { row, list, place: null, parts: stage.prepare(row, `data/cuts/${row.number}.jpg`) });
      if (!this.dialog.open) this.dialog.showModal();
      this.write();
      find("slider").focus();
      const { parts } = this;
      parts.image.decode().catch(() => {}).then(() => this.parts === parts && this.drawAll());
    }

    close() {
      if (!this.row) return;
      const { row } = this;
      Object.assign(this, { row: null, parts: null });
      this.leave(row);
    }

    write() {
      const { row, list } = this;
      find("viewer-title").textContent = row.class;
      find("viewer-place").textContent = `${list.indexOf(row) + 1} of ${list.length}`;
      find("previous").disabled = list.indexOf(row) < 1;
      find("next").disabled = list.indexOf(row) === list.length - 1;
      find("facts").replaceChildren(
        ...facts(row).flatMap(([name, value, kind]) => [element("dt", "", name), element("dd", kind && `change ${kind}`, value)]),
      );
      report.decisions?.show(find("decide"), row);
      this.shape();
      find("places").replaceChildren(...row.places.map((place, index) => this.placeButton(place, index)));
      find("stage-legend").replaceChildren(...legend(this.mode, Boolean(row.metrics)));
    }

    placeButton(place, index) {
      const button = element("button", "place");
      button.type = "button";
      button.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-label", `Zoom to place ${index + 1}`);
      button.append(element("canvas"), element("span", "", String(index + 1)));
      button.addEventListener("click", () => this.zoom(this.place === place ? null : place));
      return button;
    }

    drawAll() {
      this.draw();
      for (const [index, canvas] of [...find("places").querySelectorAll("canvas")].entries()) {
        stage.draw(canvas, this.row, this.parts, { side: "after", mode: "both", place: this.row.places[index] });
      }
    }

    draw() {
      if (!this.parts.image.complete) return;
      for (const side of ["before", "after"]) {
        stage.draw(find(`canvas-${side}`), this.row, this.parts, { side, mode: this.mode, place: this.place });
      }
      this.slide();
    }

    slide() {
      find("stage").style.setProperty("--position", `${find("slider").value}%`);
    }

    setMode(mode) {
      this.mode = mode;
      find("modes").querySelector(`[value=${mode}]`).checked = true;
      find("stage-legend").replaceChildren(...legend(mode, Boolean(this.row.metrics)));
      this.draw();
    }

    zoom(place) {
      this.place = place;
      [...find("places").children].forEach((button, index) => button.setAttribute("aria-pressed", String(this.row.places[index] === place)));
      this.shape();
      this.draw();
    }

    /** Give the stage the aspect ratio of what it shows. */
    shape() {
      const { width, height } = this.row.cut;
      find("stage").style.setProperty("--ratio", this.place ? 1 : width / height);
    }

    step(by) {
      const row = this.list[this.list.indexOf(this.row) + by];
      if (!row) return;
      // At once, unlike a change of location: the next key must find the row that it is meant for.
      history.replaceState(null, "", `#instance=${row.number}`);
      this.open(row, this.list);
    }

    press(event) {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const name = event.key.toLowerCase();
      const word = report.decisions?.wordOf(event);
      if (word) report.decisions.mark(this.row, word);
      if (name === "n" || word) this.step(1);
      if (name === "p") this.step(-1);
      if (name === "m") this.setMode(MODES[(MODES.indexOf(this.mode) + 1) % MODES.length]);
      if (name === "0") this.zoom(null);
      const place = this.row.places[+name - 1];
      if (place) this.zoom(place);
    }
  }

  report.Viewer = Viewer;
})((globalThis.bprReport ??= {}));
