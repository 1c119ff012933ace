// Drawing a rough mask: a canvas of the photo's size over the photo. Opaque pixels are foreground.
"use strict";

(function (app, { layer, ink, colour }) {
  const OPAQUE = 128;

  /** Paint one stroke: {tool, width, points}. */
  function draw(context, { tool, width, points }) {
    const path = new Path2D();
    for (const [x, y] of points) path.lineTo(x, y);
    // A click draws a dot: a line of length 0 would not be visible.
    if (points.length === 1) path.lineTo(points[0][0], points[0][1] + 0.01);
    context.globalCompositeOperation = tool === "eraser" ? "destination-out" : "source-over";
    context.fillStyle = context.strokeStyle = colour("--coarse");
    context.lineWidth = width;
    context.lineCap = context.lineJoin = "round";
    if (tool === "lasso") context.fill(path);
    else context.stroke(path);
  }

  class Paper {
    /** `changed` is called after every stroke. */
    constructor(canvas, ring, changed) {
      Object.assign(this, { canvas, ring, changed, base: null, strokes: [], stroke: null, tool: "brush", share: 0 });
      this.context = canvas.getContext("2d", { willReadFrequently: true });
      canvas.addEventListener("pointerdown", (event) => this.begin(event));
      canvas.addEventListener("pointermove", (event) => this.move(event));
      for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.end());
      canvas.addEventListener("pointerleave", () => (ring.hidden = true));
    }

    /** Start with an empty mask for a new photo. */
    reset(width, height) {
      Object.assign(this.canvas, { width, height });
      this.load(null);
    }

    /** Start with a mask {width, height, at}, or with none (null). */
    load(mask) {
      const paint = ink(colour("--coarse"), 1);
      this.base = mask && layer(mask, (index) => (mask.at[index] ? paint : 0));
      this.strokes = [];
      this.paint();
    }

    get empty() {
      return !this.base && !this.strokes.length;
    }

    /** Whether the mask differs from its file. */
    get drawn() {
      return this.strokes.length > 0;
    }

    /** Width of the brush in pixels of the photo. */
    get width() {
      return Math.max(1, Math.round(this.share * Math.max(this.canvas.width, this.canvas.height)));
    }

    undo() {
      this.strokes.pop();
      this.paint();
    }

    paint() {
      const { context, canvas } = this;
      context.clearRect(0, 0, canvas.width, canvas.height);
      context.globalCompositeOperation = "source-over";
      if (this.base) context.drawImage(this.base, 0, 0);
      for (const stroke of this.strokes) draw(context, stroke);
      this.changed();
    }

    place(event) {
      const box = this.canvas.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * this.canvas.width, ((event.clientY - box.top) / box.height) * this.canvas.height];
    }

    begin(event) {
      if (event.button) return;
      this.canvas.setPointerCapture(event.pointerId);
      this.stroke = { tool: this.tool, width: this.width, points: [this.place(event)] };
      this.strokes.push(this.stroke);
      this.paint();
    }

    move(event) {
      this.showRing(event);
      if (!this.stroke) return;
      const steps = event.getCoalescedEvents?.() ?? [];
      for (const step of steps.length ? steps : [event]) this.stroke.points.push(this.place(step));
      // The area of a lasso may shrink, so everything is painted anew; a line only grows.
      if (this.tool === "lasso") this.paint();
      else draw(this.context, { ...this.stroke, points: this.stroke.points.slice(-1 - Math.max(1, steps.length)) });
    }

    end() {
      this.stroke = null;
      this.paint();
    }

    showRing(event) {
      const { ring, canvas } = this;
      const [x, y] = this.place(event);
      ring.hidden = this.tool === "lasso" || event.pointerType === "touch";
      ring.style.left = `${(100 * x) / canvas.width}%`;
      ring.style.top = `${(100 * y) / canvas.height}%`;
      ring.style.width = `${(100 * this.width) / canvas.width}%`;
      ring.style.height = `${(100 * this.width) / canvas.height}%`;
    }

    /** White on black, as a PNG. */
    async file() {
      const { width, height } = this.canvas;
      const { data } = this.context.getImageData(0, 0, width, height);
      const black = ink("#000000", 1), white = ink("#ffffff", 1);
      const picture = layer({ width, height }, (index) => (data[4 * index + 3] < OPAQUE ? black : white));
      const blob = await new Promise((done) => picture.toBlob(done, "image/png"));
      return new File([blob], "drawn.png", { type: "image/png" });
    }
  }

  app.Paper = Paper;
})((globalThis.bprApp ??= {}), globalThis.bprReport.stage);
