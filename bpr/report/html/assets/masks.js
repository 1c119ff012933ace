// Decodes COCO's run lengths to pixels, and finds the lines along the edges of a mask.
"use strict";

(function (report) {
  /** Run lengths of a compressed counts string: 5 bits per character; from the fourth run on, differences to the run before last. */
  function runsOf(counts) {
    const runs = [];
    for (let place = 0; place < counts.length; ) {
      let value = 0, shift = 0, code;
      do {
        code = counts.charCodeAt(place++) - 48;
        value |= (code & 31) << shift;
        shift += 5;
      } while (code & 32);
      if (code & 16 && shift < 32) value |= -1 << shift;
      runs.push(runs.length > 2 ? value + runs[runs.length - 2] : value);
    }
    return runs;
  }

  /** {width, height, at}: `at` is 1 for the pixels of the mask, in row order. */
  function decode(counts, width, height) {
    const at = new Uint8Array(width * height);
    let place = 0;
    runsOf(counts).forEach((run, index) => {
      const end = place + run;
      if (index % 2) for (; place < end; place++) at[(place % height) * width + Math.floor(place / height)] = 1;
      place = end;
    });
    return { width, height, at };
  }

  /** A Path2D along the edges of the mask's pixels; there is no line along the edge of the picture. */
  function contour(mask) {
    const path = new Path2D();
    lines(mask, mask.height, mask.width, (row, column) => row * mask.width + column, (x0, x1, y) => { path.moveTo(x0, y); path.lineTo(x1, y); });
    lines(mask, mask.width, mask.height, (column, row) => row * mask.width + column, (y0, y1, x) => { path.moveTo(x, y0); path.lineTo(x, y1); });
    return path;
  }

  /** Draws the straight runs of edges between neighbouring lines of pixels. */
  function lines(mask, across, along, index, draw) {
    for (let line = 1; line < across; line++) {
      let start = -1;
      for (let step = 0; step <= along; step++) {
        const edge = step < along && mask.at[index(line - 1, step)] !== mask.at[index(line, step)];
        if (edge && start < 0) start = step;
        if (!edge && start >= 0) { draw(start, step, line); start = -1; }
      }
    }
  }

  report.masks = { decode, contour };
})((globalThis.bprReport ??= {}));
