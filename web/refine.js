// Refines a mask as the Python package does: cut patches, run the network, blend, judge; large objects from coarse to fine.
//
// The comments name the module that each part follows. An image is {width, height, data}, RGBA bytes as of a canvas; a
// mask is {width, height, at}, a byte per pixel, 0 or 1. `settings` is the settings.json that tools/build_web.py writes:
// the options of the model, its verdict, and the constants of those modules.
"use strict";

(function (web) {
  const BATCH = 16; // patches that the network gets at once: small enough to show how far it is
  const f32 = Math.fround;
  const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

  /** To the nearest whole number, halves to the even one, as Python and numpy round. */
  function rounded(value) {
    const low = Math.floor(value), rest = value - low;
    return rest > 0.5 || (rest === 0.5 && low % 2) ? low + 1 : low;
  }

  // Boxes and masks (bpr/geometry/boxes.py, masks.py). A box is {x0, y0, x1, y1}, half-open.

  /** The box of the foreground; null for an empty mask. */
  function boxOf({ width, height, at }) {
    let x0 = width, y0 = height, x1 = 0, y1 = 0;
    for (let y = 0; y < height; y++) {
      const first = at.indexOf(1, y * width) - y * width;
      if (first < 0) break; // no foreground from here on
      if (first >= width) {
        y += Math.floor(first / width) - 1; // rows without any
        continue;
      }
      const last = at.lastIndexOf(1, (y + 1) * width - 1) - y * width;
      x0 = Math.min(x0, first);
      x1 = Math.max(x1, last + 1);
      y0 = Math.min(y0, y);
      y1 = y + 1;
    }
    return y1 ? { x0, y0, x1, y1 } : null;
  }

  function grow({ x0, y0, x1, y1 }, margin, { width, height }) {
    return { x0: Math.max(x0 - margin, 0), y0: Math.max(y0 - margin, 0), x1: Math.min(x1 + margin, width), y1: Math.min(y1 + margin, height) };
  }

  function enclosing(a, b) {
    return { x0: Math.min(a.x0, b.x0), y0: Math.min(a.y0, b.y0), x1: Math.max(a.x1, b.x1), y1: Math.max(a.y1, b.y1) };
  }

  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

  /** The part of a mask in a box. */
  function within({ width, at }, { x0, y0, x1, y1 }) {
    const part = { width: x1 - x0, height: y1 - y0, at: new Uint8Array((x1 - x0) * (y1 - y0)) };
    for (let y = y0; y < y1; y++) part.at.set(at.subarray(y * width + x0, y * width + x1), (y - y0) * part.width);
    return part;
  }

  // Where patches lie (boundary.py, placement.py).

  /** [x, y] of all boundary pixels: those with the most even split first, then by row and column. */
  function boundaryPixels(mask, box) {
    const { width, height, at } = mask, area = grow(box, 1, mask);
    const byLevel = [[], [], [], [], []];
    for (let y = area.y0; y < area.y1; y++) {
      const rows = [Math.max(y - 1, 0) * width, y * width, Math.min(y + 1, height - 1) * width];
      for (let x = area.x0; x < area.x1; x++) {
        const left = Math.max(x - 1, 0), right = Math.min(x + 1, width - 1);
        let total = 0;
        for (const row of rows) total += at[row + left] + at[row + x] + at[row + right];
        if (total % 9) byLevel[Math.min(total, 9 - total)].push([x, y]);
      }
    }
    return byLevel.reverse().flat();
  }

  /** How far left and right a square excludes others at every vertical offset; -1: it excludes none. */
  function exclusionReach(side, iou) {
    return Array.from({ length: side }, (_, down) => {
      let reach = down ? -1 : 0;
      while (reach + 1 < side && (side - down) * (side - reach - 1) * (1 + iou) > 2 * side * side * iou) reach++;
      return reach;
    });
  }

  /** [x0, y0] of the patches that cover every boundary pixel of the mask. */
  function placePatches(mask, { side, nms_iou: iou, cover_margin: margin }) {
    const box = boxOf(mask);
    if (!box) return [];
    const pixels = boundaryPixels(mask, box), area = grow(box, 1, mask);
    const width = area.x1 - area.x0, canvas = new Uint8Array(width * (area.y1 - area.y0));
    const place = ([x, y]) => (y - area.y0) * width + x - area.x0;
    function mark(x0, y0, x1, y1) {
      const left = Math.max(x0, area.x0), right = Math.min(x1, area.x1);
      if (left >= right) return;
      for (let y = Math.max(y0, area.y0); y < Math.min(y1, area.y1); y++) canvas.fill(1, place([left, y]), place([right, y]));
    }
    const reach = exclusionReach(side, iou), corners = [];
    const inside = ([x, y]) => [
      clamp(x - (side >> 1), 0, Math.max(mask.width - side, 0)), clamp(y - (side >> 1), 0, Math.max(mask.height - side, 0)),
    ];
    for (const pixel of pixels) {
      if (canvas[place(pixel)]) continue;
      corners.push(inside(pixel));
      for (let down = 1 - side; down < side; down++) {
        const across = reach[Math.abs(down)], [x, y] = pixel;
        if (across >= 0) mark(x - across, y + down, x + across + 1, y + down + 1);
      }
    }
    canvas.fill(0);
    const cover = ([x, y]) => mark(
      x + margin * (x > 0), y + margin * (y > 0),
      x + side - margin * (x + side < mask.width), y + side - margin * (y + side < mask.height),
    );
    corners.forEach(cover);
    for (const pixel of pixels) {
      if (canvas[place(pixel)]) continue;
      corners.push(inside(pixel));
      cover(corners.at(-1));
    }
    return corners;
  }

  // What the network sees (evidence.py, channels.py, patches.py).

  /** 1 where the ellipse of OpenCV, moved to a pixel, meets the value; pixels beyond the array meet nothing. */
  function meets({ width, height, at }, value, reach) {
    const found = new Uint8Array(at.length), before = new Int32Array((width + 1) * height);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) before[y * (width + 1) + x + 1] = before[y * (width + 1) + x] + (at[y * width + x] === value);
    }
    for (let down = -reach; down <= reach; down++) {
      const half = rounded(reach * Math.sqrt((reach * reach - down * down) / (reach * reach)));
      for (let y = Math.max(0, -down); y < Math.min(height, height - down); y++) {
        const row = (y + down) * (width + 1);
        for (let x = 0; x < width; x++) {
          if (before[row + Math.min(x + half + 1, width)] > before[row + Math.max(x - half, 0)]) found[y * width + x] = 1;
        }
      }
    }
    return found;
  }

  const colourBin = (data, index) => ((data[index] >> 4) << 8) | (data[index + 1] & 0xf0) | (data[index + 2] >> 4);

  /** 4096 smoothed frequencies of colour bins, from their counts. */
  function frequencies(counts, { BINS, FLOOR }) {
    const total = sum(counts);
    if (!total) return new Float64Array(counts.length).fill(1 / counts.length + FLOOR);
    for (const step of [1, BINS, BINS * BINS]) {
      const smooth = new Float64Array(counts.length);
      for (let bin = 0; bin < counts.length; bin++) {
        const digit = Math.floor(bin / step) % BINS;
        smooth[bin] = counts[bin] / 2 + (counts[digit ? bin - step : bin] + counts[digit < BINS - 1 ? bin + step : bin]) / 4;
      }
      counts = smooth;
    }
    return counts.map((count) => count / total + FLOOR);
  }

  /** 4096 bytes: the evidence of every colour bin. */
  function evidenceTable(image, mask, constants) {
    const { SURROUNDINGS, EROSION, MOST_SAMPLES, RATIO_AT_LIMIT, BINS } = constants;
    const box = grow(boxOf(mask), SURROUNDINGS, mask);
    const stride = Math.max(1, Math.floor(Math.sqrt(((box.x1 - box.x0) * (box.y1 - box.y0)) / MOST_SAMPLES)));
    const width = Math.ceil((box.x1 - box.x0) / stride), height = Math.ceil((box.y1 - box.y0) / stride);
    const index = (place) => (box.y0 + Math.floor(place / width) * stride) * mask.width + box.x0 + (place % width) * stride;
    const coarse = { width, height, at: Uint8Array.from({ length: width * height }, (_, place) => mask.at[index(place)]) };
    const reach = Math.max(1, rounded(EROSION * Math.sqrt(sum(coarse.at))));
    const near = meets(coarse, 1, reach);
    let inside = meets(coarse, 0, reach).map((met) => 1 - met);
    if (!inside.includes(1)) inside = coarse.at;
    const counts = [0, 1].map(() => new Float64Array(BINS ** 3));
    for (let place = 0; place < inside.length; place++) {
      const bin = colourBin(image.data, 4 * index(place));
      counts[0][bin] += inside[place];
      counts[1][bin] += 1 - near[place];
    }
    const [object, around] = counts.map((of) => frequencies(of, constants));
    return Uint8Array.from(object, (share, bin) => rounded(128 + 127 * clamp(Math.log(share / around[bin]) / RATIO_AT_LIMIT, -1, 1)));
  }

  const CHANNELS = {
    rgb: (image, mask) => [0, 1, 2].map((colour) => (index) => image.data[4 * index + colour]),
    mask: (image, mask) => [(index) => 255 * mask.at[index]],
    evidence(image, mask, constants) {
      const table = evidenceTable(image, mask, constants);
      return [(index) => table[colourBin(image.data, 4 * index)]];
    },
  };

  /** A function that cuts the patches at some corners, (K, side, side, channels) bytes; beyond the frame its edge is repeated. */
  function cutter(image, mask, { side, inputs, constants }) {
    const channels = inputs.flatMap((name) => CHANNELS[name](image, mask, constants));
    return function cut(corners) {
      const patches = new Uint8Array(corners.length * side * side * channels.length);
      let place = 0;
      for (const [x0, y0] of corners) {
        for (let y = y0; y < y0 + side; y++) {
          const row = Math.min(y, image.height - 1) * image.width;
          for (let x = x0; x < x0 + side; x++) {
            const index = row + Math.min(x, image.width - 1);
            for (const channel of channels) patches[place++] = channel(index);
          }
        }
      }
      return patches;
    };
  }

  // Putting patches back (reassembly.py). float32 as there, in the same order.

  class Blended {
    constructor(mask, corners, { side, blend }) {
      const half = (side + 1) >> 1;
      this.along = Float32Array.from({ length: side }, (_, place) => (blend === "centred" ? Math.min(place + 1, side - place) / half : 1));
      const boxes = corners.map(([x, y]) => ({ x0: x, y0: y, x1: x + side, y1: y + side }));
      this.box = grow(boxes.reduce(enclosing, boxOf(mask)), 0, mask);
      this.mask = mask;
      this.side = side;
      this.coarse = within(mask, this.box);
      for (const name of ["excess", "weights"]) this[name] = new Float32Array(this.coarse.at.length);
    }

    /** Add patches with their probabilities. */
    add(corners, probabilities) {
      const { along, side, box, coarse: { width, height } } = this;
      corners.forEach(([x0, y0], patch) => {
        for (let row = 0; row < Math.min(side, box.y0 + height - y0); row++) {
          for (let column = 0; column < Math.min(side, box.x0 + width - x0); column++) {
            const place = (y0 - box.y0 + row) * width + x0 - box.x0 + column;
            const weight = f32(along[row] * along[column]);
            this.excess[place] += f32(f32(probabilities[(patch * side + row) * side + column] - 0.5) * weight);
            this.weights[place] += weight;
          }
        }
      });
    }

    /** The excess, with a leaning [inside, outside] added. */
    leaning([inside, outside]) {
      return this.excess.map((excess, place) => excess + f32((this.coarse.at[place] ? f32(inside) : f32(outside)) * this.weights[place]));
    }

    /** The foreground in the box; the coarse mask if it would vanish. */
    foreground(excess) {
      const found = excess.map((value, place) => (this.weights[place] ? value > 0 : this.coarse.at[place]));
      return found.includes(1) ? Uint8Array.from(found) : this.coarse.at;
    }

    /** The mean probability of every pixel in the box. */
    probability() {
      const above = f32(0.5 + 2 ** -24), foreground = this.foreground(this.excess);
      if (foreground === this.coarse.at) return Float32Array.from(foreground);
      return this.excess.map((excess, place) => {
        if (!this.weights[place]) return foreground[place];
        const mean = f32(0.5 + f32(excess / this.weights[place]));
        return clamp(foreground[place] ? Math.max(mean, above) : Math.min(mean, 0.5), 0, 1);
      });
    }

    /** The refined mask. */
    refined(leaning) {
      const { box, coarse: { width, height } } = this, foreground = this.foreground(this.leaning(leaning));
      const at = this.mask.at.slice();
      for (let row = 0; row < height; row++) at.set(foreground.subarray(row * width, (row + 1) * width), (box.y0 + row) * this.mask.width + box.x0);
      return { ...this.mask, at };
    }
  }

  // What the verdict looks at (refinement/verdict/features.py).

  /** Distance of every pixel to the outline of a mask, negative inside, and the innermost pixels of the outline. */
  function signedDistance({ width, height, at }) {
    const outline = new Uint8Array(at.length), distance = new Float32Array(at.length);
    for (let y = 0, place = 0; y < height; y++) {
      for (let x = 0; x < width; x++, place++) {
        if (!at[place]) continue;
        outline[place] = +((x && !at[place - 1]) || (x < width - 1 && !at[place + 1]) || (y && !at[place - width]) || (y < height - 1 && !at[place + width]));
      }
    }
    if (!outline.includes(1)) return { distance: distance.fill(-Infinity), outline };
    // The chamfer distance of OpenCV: a step costs .955, a diagonal one 1.3693; one walk down and one walk up.
    const straight = f32(0.955), diagonal = f32(1.3693);
    distance.forEach((_, place) => (distance[place] = outline[place] ? 0 : Infinity));
    function walk(place, x, y, step, inside) {
      let nearest = distance[place];
      if (x - step >= 0 && x - step < width) nearest = Math.min(nearest, f32(distance[place - step] + straight));
      if (inside) {
        const row = place - step * width;
        nearest = Math.min(nearest, f32(distance[row] + straight));
        if (x > 0) nearest = Math.min(nearest, f32(distance[row - 1] + diagonal));
        if (x < width - 1) nearest = Math.min(nearest, f32(distance[row + 1] + diagonal));
      }
      distance[place] = nearest;
    }
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) walk(y * width + x, x, y, 1, y > 0);
    for (let y = height - 1; y >= 0; y--) for (let x = width - 1; x >= 0; x--) walk(y * width + x, x, y, -1, y < height - 1);
    return { distance: distance.map((length, place) => (at[place] ? -length : length) - 0.5), outline };
  }

  /** An index beyond the ends of a row, reflected without repeating the end. */
  function reflected(index, length) {
    if (length === 1) return 0;
    while (index < 0 || index >= length) index = index < 0 ? -index : 2 * length - 2 - index;
    return index;
  }

  /** Sums along rows, then along columns: values times a kernel, the edge reflected. */
  function filtered({ width, height, at }, across, down) {
    const pass = (values, kernel, lines, length, perLine, perStep) => {
      const half = kernel.length >> 1, result = new Int32Array(values.length);
      const from = Int32Array.from({ length: length + 2 * half }, (_, step) => reflected(step - half, length) * perStep);
      for (let line = 0; line < lines; line++) {
        for (let step = 0; step < length; step++) {
          let total = 0;
          for (let tap = 0; tap < kernel.length; tap++) total += kernel[tap] * values[line * perLine + from[step + tap]];
          result[line * perLine + step * perStep] = total;
        }
      }
      return result;
    };
    return pass(pass(at, across, height, width, width, 1), down, width, height, 1, width);
  }

  /** How strongly the brightness changes; black where no patch lies. */
  function gradientOf(image, box, covered) {
    const { width, height } = covered;
    const at = covered.at.map((there, place) => {
      const index = 4 * ((box.y0 + Math.floor(place / width)) * image.width + box.x0 + (place % width));
      return there ? (9798 * image.data[index] + 19235 * image.data[index + 1] + 3735 * image.data[index + 2] + (1 << 14)) >> 15 : 0;
    });
    const blur = [14, 62, 104, 62, 14]; // in 256ths: OpenCV's Gaussian of side 5 and deviation 1
    const smooth = { width, height, at: filtered({ width, height, at }, blur, blur).map((value) => (value + (1 << 15)) >> 16) };
    const [across, down] = [filtered(smooth, [-1, 0, 1], [1, 2, 1]), filtered(smooth, [1, 2, 1], [-1, 0, 1])];
    return Uint8Array.from(across, (value, place) => Math.min(Math.min(Math.abs(value), 255) + Math.min(Math.abs(down[place]), 255), 255));
  }

  /** The indices below a length that are wanted. */
  function chosen(length, wanted) {
    const places = [];
    for (let place = 0; place < length; place++) if (wanted(place)) places.push(place);
    return places;
  }

  /** Sums of the weights (null: counts) of some pixels, between edges of their distance. */
  function binned(places, distance, weights, edges) {
    const sums = new Float64Array(edges.length - 1);
    for (const place of places) {
      const bin = edges.findIndex((edge) => distance[place] < edge) - 1;
      if (bin >= 0) sums[bin] += weights ? weights[place] : 1;
    }
    return [...sums];
  }

  function relative(places, distance, gradient, edges) {
    const [counts, sums] = [null, gradient].map((weights) => binned(places, distance, weights, edges));
    const mean = sum(sums) / Math.max(sum(counts), 1) + 1;
    return [...sums.map((value, bin) => (value + mean) / (counts[bin] + 1) / mean), Math.log(mean)];
  }

  /** Of pixels with the probability that their coarse value is wrong: how many are above each tenth, the sums, and the sum of all. */
  function tail(wrong) {
    const counts = new Float64Array(10), sums = new Float64Array(10);
    for (const share of wrong) {
      const step = Math.min(Math.floor(f32(share * 10)), 9);
      counts[step]++;
      sums[step] += share;
    }
    const all = sum(sums);
    for (let step = 8; step >= 0; step--) for (const of of [counts, sums]) of[step] += of[step + 1];
    return { counts, sums, all };
  }

  function changesOf(coarse, probability, area, length, leanings) {
    const wrong = [[], []];
    probability.forEach((p, place) => {
      const share = f32(Math.abs(p - coarse.at[place]));
      if (share > f32(0.1)) wrong[coarse.at[place]].push(share);
    });
    const gained = tail(wrong[0]), lost = tail(wrong[1]);
    const inside = area - lost.all, outside = gained.all, before = inside / Math.max(area + outside, 1);
    const values = [], moved = [];
    for (const [mine, other] of leanings) {
      const stepIn = Math.round((0.5 + mine) * 10), stepOut = Math.round((0.5 - other) * 10);
      const nLost = lost.counts[stepIn], nGained = gained.counts[stepOut];
      moved.push((nLost + nGained) / length);
      if (mine !== -other || mine < 0) continue;
      const common = inside - (nLost - lost.sums[stepIn]) + gained.sums[stepOut];
      const after = common / Math.max(area - nLost + nGained + inside + outside - common, 1);
      values.push(moved.at(-1), (nGained - nLost) / length, Math.log1p(nLost + nGained) - Math.log(area), 100 * (after - before));
    }
    return { values, moved };
  }

  function shiftsOf(signed, furthest) {
    const shifts = signed.length ? signed.map((value) => clamp(value + 0.5, -furthest, furthest)) : [0];
    const mean = sum(shifts) / shifts.length, sizes = shifts.map(Math.abs);
    const deviation = Math.sqrt(sum(shifts.map((shift) => (shift - mean) ** 2)) / shifts.length);
    return [mean, sum(sizes) / sizes.length, deviation, ...[1, 2, 4].map((limit) => sizes.filter((size) => size <= limit).length / sizes.length)];
  }

  function lostDetail(mask, length, blurs) {
    return blurs.map((side) => {
      const ones = Array(side).fill(1), sums = filtered(mask, ones, ones);
      return sums.reduce((lost, total, place) => lost + (+(total > (side * side) / 2) !== mask.at[place]), 0) / length;
    });
  }

  function straightness(mask) {
    const { x0, y0, x1, y1 } = boxOf(mask), tight = within(mask, { x0, y0, x1, y1 }), { width, height, at } = tight;
    const mean = (count, pixel) => sum(Array.from({ length: count }, (_, step) => at[pixel(step)])) / count;
    const touched = [
      mean(width, (step) => step), mean(width, (step) => (height - 1) * width + step),
      mean(height, (step) => step * width), mean(height, (step) => step * width + width - 1),
    ];
    return [Math.max(...touched), sum(touched) / 4];
  }

  /** {values, area, length, moved}: a mask's features, pixels, boundary in pixels, and how far every leaning would move that. */
  function describe(blended, image, constants) {
    const { REACH, PROBABILITY_BINS, GRADIENT_BINS, BLURS, FURTHEST, LEANINGS } = constants;
    const { box, coarse: { width, height } } = blended;
    const p = blended.probability();
    const union = boxOf({ width, height, at: p.map((share, place) => +(blended.coarse.at[place] || share > 0.5)) });
    const part = grow(union, REACH, { width, height });
    const covered = within({ width, at: blended.weights.map((weight) => +(weight > 0)) }, part);
    const coarse = within(blended.coarse, part);
    const probability = Float32Array.from(coarse.at, (_, place) => p[(part.y0 + Math.floor(place / coarse.width)) * width + part.x0 + (place % coarse.width)]);
    const refined = { ...coarse, at: Uint8Array.from(probability, (share) => +(share > 0.5)) };
    const old = signedDistance(coarse), moved = refined.at.includes(1) ? signedDistance(refined) : old;
    const area = sum(coarse.at), [length, newLength] = [old, moved].map(({ outline }) => Math.max(sum(outline), 1));
    const gradient = gradientOf(image, { x0: box.x0 + part.x0, y0: box.y0 + part.y0 }, covered);
    const places = (distance, reach) => chosen(coarse.at.length, (place) => covered.at[place] && Math.abs(distance[place]) < reach);
    const near = places(old.distance, REACH);
    const doubt = probability.map((share) => share * f32(1 - share));
    const [counts, sums, doubts] = [null, probability, doubt].map((weights) => binned(near, old.distance, weights, PROBABILITY_BINS));
    const changes = changesOf(coarse, probability, area, length, LEANINGS);
    const at = ({ distance }, { outline }) => chosen(outline.length, (place) => outline[place]).map((place) => distance[place]);
    const values = [
      Math.log(Math.sqrt(area)), length / Math.sqrt(area), Math.log(newLength / length),
      ...sums.map((value, bin) => (value + (PROBABILITY_BINS[bin] < 0)) / (counts[bin] + 1)),
      ...doubts.map((value, bin) => value / (counts[bin] + 1)),
      ...relative(near, old.distance, gradient, GRADIENT_BINS),
      ...relative(places(moved.distance, GRADIENT_BINS.at(-1)), moved.distance, gradient, GRADIENT_BINS),
      ...changes.values,
      ...shiftsOf(at(moved, old), FURTHEST), ...shiftsOf(at(old, moved), FURTHEST),
      ...lostDetail(coarse, length, BLURS), ...lostDetail(refined, newLength, BLURS), ...straightness(coarse),
    ];
    return { values: values.map(f32), area, length, moved: changes.moved };
  }

  // The verdict (refinement/verdict/model.py).

  /** {shape, data}: the numbers of a packed array; those of matrices are float16. */
  function unpacked({ shape, data }) {
    const view = new DataView(Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)).buffer);
    if (shape.length < 2) return Float32Array.from({ length: view.byteLength / 4 }, (_, index) => view.getFloat32(4 * index, true));
    return Float32Array.from({ length: view.byteLength / 2 }, (_, index) => {
      const half = view.getUint16(2 * index, true), exponent = (half >> 10) & 31, fraction = (half & 1023) / 1024;
      return (half >> 15 ? -1 : 1) * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
    });
  }

  const silu = (value) => value / (1 + Math.exp(-value));

  /** Values times one member's weights; the last row holds the biases. */
  function layer(values, weights, [, rows, columns], member) {
    const start = member * rows * columns;
    return Array.from({ length: columns }, (_, column) =>
      values.reduce((total, value, row) => total + value * weights[start + row * columns + column], weights[start + (rows - 1) * columns + column]));
  }

  /** {leaning (null: keep the mask), verdict} for each of the descriptions of an image's masks. */
  function judge(descriptions, packed, constants) {
    const model = Object.fromEntries(Object.entries(packed).map(([name, array]) => [name, unpacked(array)]));
    const lengths = sum(descriptions.map(({ length }) => length));
    const mean = (_, feature) => sum(descriptions.map(({ values, length }) => values[feature] * length)) / lengths;
    return descriptions.map((one) => decide(one, [...one.values, ...one.values.map(mean), descriptions.length], packed, model, constants));
  }

  function decide({ area, length, moved }, seen, packed, model, { LEANINGS, HARM, LARGEST_INPUT, MOST_CHANGED }) {
    const inputs = seen.map((value, index) => {
      const input = f32(Math.sign(value) * Math.log1p(Math.abs(value)));
      return clamp((input - model.centre[index]) / model.spread[index], -LARGEST_INPUT, LARGEST_INPUT);
    });
    const harmful = model.edges.filter((edge) => edge <= HARM).length, ranges = model.outcomes.length;
    const gains = LEANINGS.map(() => 0), worth = LEANINGS.map(() => 0), members = packed.first.shape[0];
    for (let member = 0; member < members; member++) {
      const hidden = ["first", "second"].reduce((from, name) => layer(from, model[name], packed[name].shape, member).map(silu), inputs);
      const outputs = layer(hidden, model.last, packed.last.shape, member);
      LEANINGS.forEach((_, choice) => {
        const start = choice * (ranges + 1), own = outputs.slice(start, start + ranges), most = Math.max(...own);
        const odds = own.map((logit) => Math.exp(logit - most)), shares = odds.map((of) => of / sum(odds));
        const gain = sum(shares.map((share, range) => share * model.outcomes[range]));
        gains[choice] += gain / members;
        const boundary = model.boundary_weight[0] * outputs[start + ranges], risk = model.aversion[0] * sum(shares.slice(0, harmful));
        worth[choice] += (gain + boundary - risk) / members;
      });
    }
    const best = worth.indexOf(Math.max(...worth)), leaning = LEANINGS[best];
    const changed = moved[best] * length;
    if (worth[best] <= model.least[0] || !changed || changed > MOST_CHANGED * area) return { leaning: null, verdict: NOTHING };
    const taken = leaning[0] > 0 && leaning[1] < 0 ? "part" : "all";
    return { leaning, verdict: { taken, expected_gain: hundredths(gains[best]), moved_px: hundredths(moved[best]) } };
  }

  const hundredths = (value) => rounded(100 * value) / 100;
  const NOTHING = { taken: "nothing", expected_gain: 0, moved_px: 0 };

  /** The verdict on both of two changes; null for none before. */
  function followed(before, later) {
    if (!before || !later) return later;
    const kinds = new Set([before.taken, later.taken].filter((taken) => taken !== "nothing"));
    const taken = kinds.size > 1 ? "part" : [...kinds, "nothing"][0];
    const [gain, moved] = ["expected_gain", "moved_px"].map((name) => hundredths(before[name] + later[name]));
    return { taken, expected_gain: gain, moved_px: moved };
  }

  // Large objects (geometry/scales.py, refinement/levels.py).

  /** The image at half its size: the mean of every cell of 2 x 2 pixels; beyond the frame its edge is repeated. */
  function halved({ width, height, data }) {
    const small = { width: (width + 1) >> 1, height: (height + 1) >> 1 };
    small.data = new Uint8ClampedArray(4 * small.width * small.height);
    for (let y = 0, place = 0; y < small.height; y++) {
      const upper = 2 * y * width, lower = Math.min(2 * y + 1, height - 1) * width;
      for (let x = 0; x < small.width; x++) {
        const left = 2 * x, right = Math.min(2 * x + 1, width - 1);
        for (let colour = 0; colour < 4; colour++, place++) {
          const above = data[4 * (upper + left) + colour] + data[4 * (upper + right) + colour];
          const below = data[4 * (lower + left) + colour] + data[4 * (lower + right) + colour];
          small.data[place] = (above + below + 2) >> 2;
        }
      }
    }
    return small;
  }

  /** The mask at a level: the cells of which more than half is foreground. */
  function shrunk({ width, height, at }, level) {
    const cell = 2 ** level, small = { width: Math.ceil(width / cell), height: Math.ceil(height / cell) };
    small.at = new Uint8Array(small.width * small.height);
    small.at.forEach((_, place) => {
      const left = (place % small.width) * cell, top = Math.floor(place / small.width) * cell;
      let count = 0;
      for (let y = top; y < top + cell; y++) for (let x = left; x < left + cell; x++) count += at[Math.min(y, height - 1) * width + Math.min(x, width - 1)];
      small.at[place] = +(2 * count > cell * cell);
    });
    return small;
  }

  /** The mask with the changes of a level; the same object if there are none that count. */
  function carried(mask, before, after, level, { LEAST_CHANGE }) {
    if (!boxOf(before)) return mask;
    const cell = 2 ** level, cells = grow(enclosing(boxOf(before), boxOf(after)), 1, before);
    const fresh = within(after, cells), old = within(before, cells), { width, height } = fresh;
    const changed = { width, height, at: new Uint8Array(fresh.at.length) };
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const square = [];
        for (let row = y; row < Math.min(y + LEAST_CHANGE, height); row++) {
          for (let column = x; column < Math.min(x + LEAST_CHANGE, width); column++) square.push(row * width + column);
        }
        if (square.every((place) => fresh.at[place] !== old.at[place])) square.forEach((place) => (changed.at[place] = 1));
      }
    }
    const around = boxOf(changed);
    if (!around) return mask;
    const near = grow(around, 1, changed), result = { ...mask, at: mask.at.slice() };
    const taps = (step, least, most) => {
      const position = clamp((step + 0.5) / cell - 0.5, least, most - 1), low = Math.floor(position);
      return [low, Math.min(low + 1, most - 1), position - low];
    };
    const [left, top] = [cells.x0 * cell, cells.y0 * cell];
    for (let y = near.y0 * cell; y < Math.min(near.y1 * cell, mask.height - top); y++) {
      const [y0, y1, down] = taps(y, near.y0, near.y1);
      for (let x = near.x0 * cell; x < Math.min(near.x1 * cell, mask.width - left); x++) {
        const [x0, x1, right] = taps(x, near.x0, near.x1);
        const mean = (at) => (at[y0 * width + x0] * (1 - right) + at[y0 * width + x1] * right) * (1 - down)
          + (at[y1 * width + x0] * (1 - right) + at[y1 * width + x1] * right) * down;
        if (mean(changed.at) > 0) result.at[(top + y) * mask.width + left + x] = +(mean(fresh.at) > 0.5);
      }
    }
    return result.at.includes(1) ? result : mask;
  }

  // All of it (refinement/refiner.py).

  /** {mask, corners, verdict} for each mask at the image's own scale; `run` gives the probabilities of patches. */
  async function refineAt(image, masks, settings, run) {
    const placed = masks.map((mask) => placePatches(mask, settings)), { caution, constants } = settings;
    let left = sum(placed.map((corners) => corners.length));
    const results = masks.map((mask, index) => ({ mask, corners: placed[index], verdict: settings.verdict ? NOTHING : null }));
    const changing = results.filter(({ corners }) => corners.length), parts = [];
    for (const { mask, corners } of changing) {
      const cut = cutter(image, mask, settings), blended = new Blended(mask, corners, settings);
      for (let start = 0; start < corners.length; start += BATCH) {
        const batch = corners.slice(start, start + BATCH);
        blended.add(batch, await run(cut(batch), batch.length, left));
        left -= batch.length;
      }
      parts.push(blended);
    }
    const decisions = caution !== "auto"
      ? parts.map(() => ({ leaning: [caution, -caution], verdict: null }))
      : judge(parts.map((blended) => describe(blended, image, constants)), settings.verdict, constants);
    decisions.forEach(({ leaning, verdict }, index) => {
      Object.assign(changing[index], { verdict }, leaning && { mask: parts[index].refined(leaning) });
    });
    return results;
  }

  /**
   * Refine the masks of an image.
   *
   * Returns {mask, corners, verdict} for each of them: the refined mask, [x0, y0] of the patches in the image's own scale,
   * and what was decided: {taken: "all" | "part" | "nothing", expected_gain in points of IoU, moved_px}, null without a
   * verdict. `run(patches, count, left)` promises (count, side, side) float32 probabilities; `left` patches are left.
   */
  web.refine = async function (image, masks, settings, run) {
    const { object_size: known, constants } = settings, scales = [image], verdicts = masks.map(() => null);
    const sizes = masks.map((mask) => Math.sqrt(sum(mask.at)));
    const coarsest = sizes.map((size) => (known && size > known ? Math.ceil(Math.log2(size / known)) : 0));
    masks = [...masks];
    for (let level = Math.max(0, ...coarsest); level > 0; level--) {
      const chosen = [...masks.keys()].filter((index) => coarsest[index] >= level && (coarsest[index] - level) % constants.STEP === 0);
      if (!chosen.length) continue;
      while (scales.length <= level) scales.push(halved(scales.at(-1)));
      const before = chosen.map((index) => shrunk(masks[index], level));
      const after = await refineAt(scales[level], before, settings, run);
      chosen.forEach((index, place) => {
        const { mask, verdict } = after[place], next = carried(masks[index], before[place], mask, level, constants);
        if (next === masks[index]) return;
        masks[index] = next;
        if (verdict) verdicts[index] = followed(verdicts[index], { ...verdict, moved_px: hundredths(verdict.moved_px * 2 ** level) });
      });
    }
    const last = await refineAt(image, masks, settings, run);
    return last.map((one, index) => ({ ...one, verdict: followed(verdicts[index], one.verdict) }));
  };
})((globalThis.bprWeb ??= {}));
