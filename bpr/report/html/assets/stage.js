// Draws a mask on its image, before or after refinement, the whole crop or one place of it.
"use strict";

(function (report) {
  const { decode, contour } = report.masks;

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  /** The decoded masks, contours and image of a row, made once when it is opened. */
  function prepare(row, picture) {
    const parts = { image: new Image() };
    for (const [name, counts] of Object.entries(row.masks)) {
      const mask = decode(counts, row.cut.width, row.cut.height);
      parts[name] = { mask, contour: contour(mask) };
    }
    parts.image.src = picture;
    return parts;
  }

  /** A canvas of the mask's size; `colourAt(pixel index)` gives the colour of each pixel, 0 for none. */
  function layer({ width, height }, colourAt) {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(width, height);
    const ink = new Uint32Array(pixels.data.buffer);
    for (let index = 0; index < ink.length; index++) ink[index] = colourAt(index);
    context.putImageData(pixels, 0, 0);
    return canvas;
  }

  /** #rrggbb and an opacity as a number for little-endian image data. */
  function ink(hex, opacity) {
    const value = parseInt(hex.slice(1), 16);
    return ((Math.round(opacity * 255) << 24) | ((value & 255) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
  }

  function tint(parts, side) {
    const { mask } = parts[side];
    const paint = ink(colour(side === "before" ? "--coarse" : "--refined"), 0.32);
    return layer(mask, (index) => (mask.at[index] ? paint : 0));
  }

  /** The extra and the missing pixels, compared with the ground truth or, without one, with the mask before refinement. */
  function errors(parts, side) {
    const { mask } = parts[side];
    const reference = (parts.truth ?? parts.before).mask;
    const extra = ink(colour("--extra"), 0.6), missing = ink(colour("--missing"), 0.6);
    return layer(mask, (index) => (mask.at[index] === reference.at[index] ? 0 : mask.at[index] ? extra : missing));
  }

  function stroke(context, path, paint, scale, dash = []) {
    context.lineJoin = "round";
    context.lineCap = dash.length ? "butt" : "square";
    for (const [style, width] of [["rgba(10, 12, 16, .75)", 3.6], [paint, 1.8]]) {
      context.setLineDash(dash.map((length) => length / scale));
      context.strokeStyle = style;
      context.lineWidth = width / scale;
      context.stroke(path);
    }
  }

  function strokeSide(context, parts, side, scale) {
    stroke(context, parts[side].contour, colour(side === "before" ? "--coarse" : "--refined"), scale);
  }

  const MODES = {
    masks(context, parts, side, scale) {
      context.drawImage(tint(parts, side), 0, 0);
      strokeSide(context, parts, side, scale);
    },
    contours(context, parts, side, scale) {
      if (parts.truth) stroke(context, parts.truth.contour, "#ffffff", scale);
      strokeSide(context, parts, side, scale);
    },
    both(context, parts, side, scale) {
      if (parts.truth) stroke(context, parts.truth.contour, "#ffffff", scale);
      strokeSide(context, parts, "before", scale);
      strokeSide(context, parts, "after", scale);
    },
    errors(context, parts, side, scale) {
      context.drawImage(errors(parts, side), 0, 0);
      if (parts.truth) stroke(context, parts.truth.contour, "#ffffff", scale);
    },
    photo() {},
  };

  /** The part of the crop that is shown: {left, top, width, height} in its pixels. */
  function window(row, place) {
    if (!place) return { left: 0, top: 0, width: row.cut.width, height: row.cut.height };
    const [left, top, side] = place;
    return { left, top, width: side, height: side };
  }

  /**
   * Draw `side` ("before" or "after") in a mode over the image. The canvas keeps its size in the page. `more(context, scale)`
   * draws additional content, in the pixels of the crop.
   */
  function draw(canvas, row, parts, { side, mode, place = null, more = () => {} }) {
    const seen = window(row, place);
    const ratio = globalThis.devicePixelRatio || 1;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    const context = canvas.getContext("2d");
    const scale = Math.min(canvas.width / seen.width, canvas.height / seen.height);
    context.translate((canvas.width - seen.width * scale) / 2, (canvas.height - seen.height * scale) / 2);
    context.scale(scale, scale);
    context.translate(-seen.left, -seen.top);
    context.beginPath();
    context.rect(seen.left, seen.top, seen.width, seen.height);
    context.clip();
    context.imageSmoothingEnabled = scale < 3 * ratio;
    context.drawImage(parts.image, 0, 0, row.cut.width, row.cut.height);
    context.imageSmoothingEnabled = false;
    MODES[mode](context, parts, side, scale / ratio);
    more(context, scale / ratio);
  }

  report.stage = { prepare, draw, layer, ink, colour, stroke };
})((globalThis.bprReport ??= {}));
