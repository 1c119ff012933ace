// One mask drawn on its image, before or after, the whole cut or one place of it.
"use strict";

(function (report) {
  const { decode, contour } = report.masks;

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  /** Masks and contours of a row and its picture, made once when it is opened. */
  function prepare(row, picture) {
    const parts = { image: new Image() };
    for (const [name, counts] of Object.entries(row.masks)) {
      const mask = decode(counts, row.cut.width, row.cut.height);
      parts[name] = { mask, contour: contour(mask) };
    }
    parts.image.src = picture;
    return parts;
  }

  /** A canvas of the cut's size that holds `paint` where `wanted(pixel index)` is true. */
  function layer({ width, height }, wanted) {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(width, height);
    const ink = new Uint32Array(pixels.data.buffer);
    for (let index = 0; index < ink.length; index++) ink[index] = wanted(index);
    context.putImageData(pixels, 0, 0);
    return canvas;
  }

  /** #rrggbb and an opacity -> the number that little-endian image data holds. */
  function ink(hex, opacity) {
    const value = parseInt(hex.slice(1), 16);
    return ((Math.round(opacity * 255) << 24) | ((value & 255) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
  }

  function tint(parts, side) {
    const { mask } = parts[side];
    const paint = ink(colour(side === "before" ? "--coarse" : "--refined"), 0.32);
    return layer(mask, (index) => (mask.at[index] ? paint : 0));
  }

  /** What is too much and what is missing: against the truth, or without one, against the mask before. */
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

  /** The part of the cut that is seen: {left, top, width, height} in its pixels. */
  function window(row, place) {
    if (!place) return { left: 0, top: 0, width: row.cut.width, height: row.cut.height };
    const [left, top, side] = place;
    return { left, top, width: side, height: side };
  }

  /**
   * Draw `side` ("before" or "after") in a mode over the image; the canvas keeps its size in the page. `more(context, scale)`
   * draws what else is to be seen, in the cut's pixels.
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
