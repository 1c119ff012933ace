// Answers the page of bpr app without a server: what app.js asks with `fetch`, this script does in the browser.
"use strict";

(function (web, { layer, ink }) {
  if (!globalThis.document) return; // in the worker
  const script = document.currentScript.src, { mostPixels } = document.documentElement.dataset;
  const fromDisk = location.protocol === "file:";
  const FROM_DISK = "This page has to come from a server, as with python -m http.server: a browser does not run it from the disk.";
  const OPAQUE = 128;
  const NO_NETWORK = "the network cannot be loaded; is every file of the page on its server?";
  let worker = null, broken = false;

  /** The worker loads the network at once, and refines when it is asked to. */
  function start() {
    if (fromDisk) return;
    broken = false;
    worker = new Worker(script);
    worker.onerror = () => (broken = true);
  }

  /** The size at which a picture is worked on (bpr/app/work.py). */
  function workFrame({ width, height }) {
    const scale = Math.min(1, Math.sqrt(mostPixels / (width * height)));
    return { width: Math.max(1, Math.trunc(width * scale)), height: Math.max(1, Math.trunc(height * scale)) };
  }

  const sized = (picture, frame) => picture.width === frame.width && picture.height === frame.height;

  /** RGBA pixels of something that a canvas can draw, at a size. */
  function drawn(source, { width, height }) {
    const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(source, 0, 0, width, height);
    return context.getImageData(0, 0, width, height);
  }

  /** {image, full}: the pixels of a file, turned as its EXIF tag demands, without the conversion of colours, and its size. */
  async function pixelsOf(file, scaled = true) {
    const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" }).catch(() => {
      throw new Error(`${file.name}: not an image that this browser can decode; expected PNG, JPEG, WebP or BMP`);
    });
    const full = { width: bitmap.width, height: bitmap.height };
    const image = drawn(bitmap, scaled ? workFrame(full) : full);
    bitmap.close();
    return { image, full };
  }

  const WHITE = ink("#ffffff", 1), BLACK = ink("#000000", 1);

  /** A mask at another size: where more than half of a pixel is covered. */
  function resized(mask, frame) {
    if (sized(mask, frame)) return mask;
    const { data } = drawn(layer(mask, (index) => (mask.at[index] ? WHITE : 0)), frame);
    return { ...frame, at: Uint8Array.from({ length: data.length / 4 }, (_, index) => +(data[4 * index + 3] >= OPAQUE)) };
  }

  const maskOf = async (file) => web.readMask((await pixelsOf(file, false)).image, file.name);
  const pngOf = (picture, colourAt) => new Promise((done) => layer(picture, colourAt).toBlob(done, "image/png"));

  /** COCO's compressed run lengths of a mask, which the report's code draws. */
  function countsOf({ width, height, at }) {
    const runs = [0];
    for (let x = 0; x < width; x++) {
      for (let y = 0; y < height; y++) {
        if (at[y * width + x] !== (runs.length - 1) % 2) runs.push(0);
        runs[runs.length - 1]++;
      }
    }
    let text = "";
    runs.forEach((run, index) => {
      let value = index > 2 ? run - runs[index - 2] : run, more = true;
      while (more) {
        const five = value & 31;
        value >>= 5;
        more = value !== (five & 16 ? -1 : 0);
        text += String.fromCharCode(48 + five + (more ? 32 : 0));
      }
    });
    return text;
  }

  /** Refine in the worker. A signal ends it, and another one is started. */
  function inWorker(work, signal, progress) {
    return new Promise((done, fail) => {
      const stop = (error) => {
        worker.terminate();
        start();
        fail(error);
      };
      signal?.addEventListener("abort", () => stop(signal.reason));
      if (broken) return stop(new Error(NO_NETWORK));
      worker.onerror = () => stop(new Error(NO_NETWORK));
      worker.onmessage = ({ data: { patches, refined, error } }) => {
        if (patches) progress(patches);
        if (error) fail(new Error(error));
        if (refined) done(refined);
      };
      worker.postMessage(work);
    });
  }

  /** A refined mask as app.js wants it; its patches begin with those in which most pixels changed. */
  async function rowOf({ mask, corners, verdict }, given, before, side, full) {
    const { width, height } = mask, changed = mask.at.map((value, index) => +(value !== before.at[index]));
    const count = (numbers) => numbers.reduce((total, number) => total + number, 0);
    const changes = ([x0, y0]) => {
      let total = 0;
      for (let y = y0; y < Math.min(y0 + side, height); y++) total += count(changed.subarray(y * width + x0, y * width + Math.min(x0 + side, width)));
      return total;
    };
    const sorted = corners.map((corner) => [corner, changes(corner)]).sort((a, b) => b[1] - a[1]);
    const whole = !count(changed) && sized(given, full) ? given : resized(mask, full), png = await pngOf(whole, (index) => (whole.at[index] ? WHITE : BLACK));
    const url = await new Promise((done) => {
      const reader = new FileReader();
      reader.onload = () => done(reader.result);
      reader.readAsDataURL(png);
    });
    return {
      before: countsOf(before),
      after: countsOf(mask),
      foreground: count(before.at),
      changed: count(changed),
      boxes: sorted.map(([[x, y]]) => [x, y, x + side, y + side]),
      verdict,
      png: url.slice(url.indexOf(",") + 1),
    };
  }

  const ANSWERS = {
    async mask(form) {
      const file = form.get("mask"), mask = await maskOf(file), { width, height } = mask;
      const remark = mask.at.includes(0) ? "" : `${file.name}: the mask covers the whole image; is it the right file?`;
      return JSON.stringify({ width, height, counts: countsOf(resized(mask, workFrame(mask))), remark });
    },

    async refine(form, signal) {
      const { image, full } = await pixelsOf(form.get("photo")), frame = { width: image.width, height: image.height };
      const given = [];
      for (const file of form.getAll("mask")) given.push(await maskOf(file));
      const before = given.map((mask) => resized(mask, frame));
      const work = { image: { ...frame, data: image.data }, masks: before, everyChange: form.has("every-change") };
      return new ReadableStream({
        async start(stream) {
          const write = (line) => stream.enqueue(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
          try {
            const { masks, side, seconds } = await inWorker(work, signal, (patches) => write({ patches }));
            const rows = [];
            for (const [index, mask] of masks.entries()) rows.push(await rowOf(mask, given[index], before[index], side, full));
            write({ masks: rows, seconds });
          } catch (error) {
            write({ error: error.message });
          }
          stream.close();
        },
      });
    },

    async cutout(form) {
      const { image } = await pixelsOf(form.get("photo"), false), mask = await maskOf(form.get("mask"));
      const colours = new Uint32Array(image.data.buffer);
      return pngOf(mask, (index) => (mask.at[index] ? colours[index] : 0));
    },
  };

  /** `fetch` for app.js. */
  web.fetch = async function (path, { body, signal } = {}) {
    if (!ANSWERS[path]) return fetch(path, { signal });
    try {
      return new Response(await ANSWERS[path](body, signal));
    } catch (error) {
      return new Response(JSON.stringify({ error: error.message }), { status: 400 });
    }
  };

  if (fromDisk) {
    document.querySelector("main").inert = true;
    document.getElementById("error").textContent = FROM_DISK;
    document.getElementById("error").hidden = false;
  }
  start();
})((globalThis.bprWeb ??= {}), globalThis.bprReport.stage);
