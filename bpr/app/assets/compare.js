// Shows the mask before and after refinement over the photo: slider, modes, patches, and the patches that changed most.
"use strict";

(function (app, stage) {
  const find = (id) => document.getElementById(id);
  const MOST_PLACES = 6;
  const THIN = 2;
  const KEYS = {
    masks: { coarse: "before", refined: "after" },
    both: { coarse: "before", refined: "after" },
    errors: { extra: "added", missing: "taken away" },
    photo: {},
  };

  function element(name, classes = "", text = "") {
    const made = document.createElement(name);
    if (classes) made.className = classes;
    if (text) made.textContent = text;
    return made;
  }

  function facts({ boxes, changed, foreground, seconds }) {
    const share = ((100 * changed) / foreground).toFixed(1);
    return [
      ["patches", String(boxes.length)],
      ["changed", `${changed.toLocaleString("en")} px, ${share} % of the mask`],
      ["time", `${seconds.toFixed(2)} s`],
    ];
  }

  class Compare {
    constructor() {
      Object.assign(this, { row: null, parts: null, place: null, mode: "masks" });
      find("slider").addEventListener("input", () => this.slide());
      find("modes").addEventListener("change", (event) => this.setMode(event.target.value));
      find("patches").addEventListener("change", () => this.draw());
      this.setMode(this.mode);
      new ResizeObserver(() => this.draw()).observe(find("stage"));
    }

    /** Show the answer of /refine for a photo. */
    async show(picture, { width, height }, answer) {
      this.row = { cut: { width, height }, masks: { before: answer.before, after: answer.after } };
      this.parts = stage.prepare(this.row, picture);
      this.boxes = new Path2D();
      for (const [x0, y0, x1, y1] of answer.boxes) this.boxes.rect(x0, y0, x1 - x0, y1 - y0);
      this.places = answer.boxes.slice(0, MOST_PLACES).map(([x0, y0, x1, y1]) => [x0, y0, Math.max(x1 - x0, y1 - y0)]);
      find("facts").replaceChildren(...facts(answer).flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
      find("places").replaceChildren(...this.places.map((place, index) => this.placeButton(place, index)));
      await this.parts.image.decode();
      this.zoom(null);
    }

    placeButton(place, index) {
      const button = element("button", "place");
      button.type = "button";
      button.setAttribute("aria-label", `Zoom to patch ${index + 1}`);
      button.append(element("canvas"), element("span", "", String(index + 1)));
      button.addEventListener("click", () => this.zoom(this.place === place ? null : place));
      return button;
    }

    setMode(mode) {
      this.mode = mode;
      find("keys").replaceChildren(...Object.entries(KEYS[mode]).map(([kind, text]) => element("span", `key ${kind}`, text)));
      this.draw();
    }

    zoom(place) {
      this.place = place;
      const { width, height } = this.row.cut;
      find("stage").style.setProperty("--ratio", place ? 1 : width / height);
      [...find("places").children].forEach((button, index) => button.setAttribute("aria-pressed", String(this.places[index] === place)));
      this.draw();
    }

    draw() {
      if (!this.row || !this.parts.image.complete || !find("stage").clientWidth) return;
      const more = (context, scale) => find("patches").checked && stage.stroke(context, this.boxes, stage.colour("--patch"), scale * THIN);
      for (const side of ["before", "after"]) {
        stage.draw(find(`canvas-${side}`), this.row, this.parts, { side, mode: this.mode, place: this.place, more });
      }
      for (const [index, canvas] of [...find("places").querySelectorAll("canvas")].entries()) {
        stage.draw(canvas, this.row, this.parts, { side: "after", mode: "both", place: this.places[index] });
      }
      this.slide();
    }

    slide() {
      find("stage").style.setProperty("--position", `${find("slider").value}%`);
    }
  }

  app.Compare = Compare;
})((globalThis.bprApp ??= {}), globalThis.bprReport.stage);
