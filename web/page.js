// Answers the page of bpr app without a server: what app.js asks with `fetch`, this script does in the browser.
"use strict";

(function (web, app, { layer, ink }) {
  if (typeof document === "undefined") return; // in the worker
  const script = document.currentScript.src;
  const FROM_DISK = "this page must come from a server, as in python -m http.server; a browser does not let it run from the disk";
  const find = (id) => document.getElementById(id);
  let worker = null, last = null;

  function start() {
    if (location.protocol !== "file:") worker = new Worker(script);
  }

  /** The RGBA pixels of a file, turned as its EXIF tag demands, without the conversion of colours. */
  async function pixelsOf(file) {
    const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" }).catch(() => {
      throw new Error(`${file.name}: not an image that this browser can decode; expected PNG, JPEG, WebP or BMP`);
    });
    const { width, height } = bitmap, canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    return context.getImageData(0, 0, width, height);
  }

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

  /** Refine in the worker; the status says how far it is. A signal ends the worker, and another one is started. */
  function inWorker(image, mask, signal) {
    if (!worker) throw new Error(FROM_DISK);
    return new Promise((done, fail) => {
      const stop = (error) => {
        worker.terminate();
        start();
        fail(error);
      };
      signal?.addEventListener("abort", () => stop(signal.reason));
      worker.onerror = () => stop(new Error("the network cannot be loaded; is every file of the page on its server?"));
      worker.onmessage = ({ data: { left, refined, error } }) => {
        if (left) find("status").textContent = `Refining… ${left} patches left`;
        if (error) fail(new Error(error));
        if (refined) done(refined);
      };
      worker.postMessage({ image, mask });
    });
  }

  /** [x0, y0, x1, y1] of the patches, those first in which most pixels changed. */
  function boxesOf({ corners, side, mask }, before) {
    const { width, height } = mask;
    const changes = ([x0, y0]) => {
      let count = 0;
      for (let y = y0; y < Math.min(y0 + side, height); y++) {
        for (let x = x0; x < Math.min(x0 + side, width); x++) count += mask.at[y * width + x] !== before.at[y * width + x];
      }
      return count;
    };
    const counted = corners.map((corner) => [corner, changes(corner)]).sort((a, b) => b[1] - a[1]);
    return counted.map(([[x, y]]) => [x, y, x + side, y + side]);
  }

  const blobOf = (canvas) => new Promise((done) => canvas.toBlob(done, "image/png"));

  async function base64Of(blob) {
    const url = await new Promise((done) => {
      const reader = new FileReader();
      reader.onload = () => done(reader.result);
      reader.readAsDataURL(blob);
    });
    return url.slice(url.indexOf(",") + 1);
  }

  const ANSWERS = {
    async mask(form) {
      const file = form.get("mask"), mask = web.readMask(await pixelsOf(file), file.name);
      const remark = mask.at.includes(0) ? "" : `${file.name}: the mask covers the whole image; is it the right file?`;
      return { width: mask.width, height: mask.height, counts: countsOf(mask), remark };
    },

    async refine(form, signal) {
      const [photo, given] = [form.get("photo"), form.get("mask")];
      const image = await pixelsOf(photo), before = web.readMask(await pixelsOf(given), given.name);
      const refined = await inWorker({ width: image.width, height: image.height, data: image.data }, before, signal), { mask } = refined;
      const black = ink("#000000", 1), white = ink("#ffffff", 1), colours = new Uint32Array(image.data.buffer);
      const png = await blobOf(layer(mask, (index) => (mask.at[index] ? white : black)));
      last = { verdict: refined.verdict, cutout: await blobOf(layer(mask, (index) => (mask.at[index] ? colours[index] : 0))), name: (given.name === "drawn.png" ? photo : given).name };
      return {
        before: countsOf(before),
        after: countsOf(mask),
        foreground: before.at.reduce((total, value) => total + value, 0),
        changed: mask.at.reduce((total, value, index) => total + (value !== before.at[index]), 0),
        boxes: boxesOf(refined, before),
        seconds: refined.seconds,
        png: await base64Of(png),
      };
    },
  };

  /** `fetch` for app.js. */
  web.fetch = async function (path, { body, signal } = {}) {
    if (!ANSWERS[path]) return fetch(path);
    try {
      const answer = await ANSWERS[path](body, signal);
      return { ok: true, json: async () => answer };
    } catch (error) {
      return { ok: false, json: async () => ({ error: error.message }) };
    }
  };

  const TAKEN = {
    all: "the whole change is taken",
    part: "a part of the change is taken: the pixels of which the network is sure",
    nothing: "the mask stays as it was: it looks better than the change",
  };

  /** After the facts of app.js: the verdict, and the cut-out beside the mask. */
  const { show } = app.Compare.prototype;
  app.Compare.prototype.show = async function (...given) {
    await show.apply(this, given);
    const { verdict, cutout, name } = last;
    if (verdict) {
      const [term, words] = ["dt", "dd"].map((tag) => find("facts").appendChild(document.createElement(tag)));
      term.textContent = "verdict";
      words.textContent = TAKEN[verdict.taken];
    }
    let link = find("cutout");
    if (!link) {
      link = Object.assign(document.createElement("a"), { id: "cutout", className: "primary", textContent: "Cut out the object" });
      find("download").before(link);
    }
    if (link.href) URL.revokeObjectURL(link.href);
    Object.assign(link, { href: URL.createObjectURL(cutout), download: `${name.replace(/\.\w+$/, "")}_cutout.png` });
  };

  start();
})((globalThis.bprWeb ??= {}), globalThis.bprApp, globalThis.bprReport.stage);
