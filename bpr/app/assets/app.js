// The page: takes a photo and rough masks, lets the user paint, sends them to the server and shows what came back.
"use strict";

(function ({ decode }, stage) {
  const { layer, ink, colour } = stage;
  const { mostPixels, mostBytes } = document.documentElement.dataset;
  const find = (id) => document.getElementById(id);
  const NO_ANSWER = "bpr app does not answer; is it still running in its terminal?";
  const OPAQUE = 128;
  const MOST_ZOOM = 16, ZOOM_STEP = 1.5;
  const MOST_PLACES = 6;
  const THIN = 2;
  const KEYS = {
    masks: { coarse: "before", refined: "after" },
    both: { coarse: "before", refined: "after" },
    errors: { extra: "added", missing: "taken away" },
    photo: {},
  };

  function element(name, { classes = "", text = "", ...more } = {}, ...children) {
    const made = Object.assign(document.createElement(name), { className: classes, textContent: text }, more);
    made.append(...children);
    return made;
  }

  const size = ({ width, height }) => `${width} × ${height}`;
  const stem = (name) => name.replace(/\.\w+$/, "");
  const limited = (value, least, most) => Math.min(Math.max(value, least), most);

  // Painting. A mask is {name, file, width, height, counts, base, strokes}: what its file holds, and what is painted on it.

  function newMask(name, file = null) {
    return { name, file, base: null, strokes: [] };
  }

  const isEmpty = (mask) => !mask.base && !mask.strokes.length;

  /** Paint one stroke: {tool, width, points}. */
  function drawStroke(context, { tool, width, points }) {
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

  /** Paint a mask on an empty canvas; opaque pixels are foreground. */
  function drawMask(canvas, mask) {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.globalCompositeOperation = "source-over";
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (mask.base) context.drawImage(mask.base, 0, 0);
    for (const stroke of mask.strokes) drawStroke(context, stroke);
    return context;
  }

  /** The file of a mask as it is painted: white on black, as a PNG. */
  async function fileOf(mask, { width, height }) {
    if (mask.file && !mask.strokes.length) return mask.file;
    const canvas = element("canvas", { width, height });
    const { data } = drawMask(canvas, mask).getImageData(0, 0, width, height);
    const black = ink("#000000", 1), white = ink("#ffffff", 1);
    const picture = layer({ width, height }, (index) => (data[4 * index + 3] < OPAQUE ? black : white));
    const blob = await new Promise((done) => picture.toBlob(done, "image/png"));
    return new File([blob], `${stem(mask.name)}.png`, { type: "image/png" });
  }

  /** The canvas over the photo on which one mask is painted, and what is seen of both. */
  class Paper {
    /** `changed` is called after every stroke and zoom. */
    constructor(changed) {
      Object.assign(this, { changed, mask: newMask(""), stroke: null, tool: "brush", share: 0, fingers: new Map() });
      this.canvas = find("paper");
      this.view = { zoom: 1, x: 0, y: 0 };
      this.canvas.addEventListener("pointerdown", (event) => this.begin(event));
      this.canvas.addEventListener("pointermove", (event) => this.move(event));
      for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, (event) => this.end(event));
      this.canvas.addEventListener("pointerleave", () => (find("ring").hidden = true));
      find("paper-stage").addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    }

    /** Start with another photo of this size. */
    reset({ width, height }) {
      for (const canvas of [this.canvas, find("others")]) Object.assign(canvas, { width, height });
      find("paper-stage").style.setProperty("--ratio", width / height);
      this.fit();
    }

    /** Paint on one of the masks; the others are seen below it. */
    take(mask, masks) {
      this.mask = mask;
      const others = find("others"), context = others.getContext("2d");
      context.clearRect(0, 0, others.width, others.height);
      const rest = masks.filter((other) => other !== mask && !isEmpty(other));
      const buffer = element("canvas", { width: rest.length ? others.width : 1, height: rest.length ? others.height : 1 });
      for (const other of rest) {
        drawMask(buffer, other);
        context.drawImage(buffer, 0, 0);
      }
      this.paint();
    }

    /** Width of the brush in pixels of the photo. */
    get width() {
      return Math.max(1, Math.round(this.share * Math.max(this.canvas.width, this.canvas.height)));
    }

    paint() {
      drawMask(this.canvas, this.mask);
      this.changed();
    }

    fit() {
      this.show({ zoom: 1, x: 0, y: 0 });
    }

    /** Zoom by a factor around a place of the window, by default the middle of the stage. */
    zoomBy(factor, clientX, clientY) {
      const box = find("paper-stage").getBoundingClientRect(), { zoom, x, y } = this.view;
      const left = clientX === undefined ? 0.5 : (clientX - box.left) / box.width;
      const top = clientY === undefined ? 0.5 : (clientY - box.top) / box.height;
      const next = limited(zoom * factor, 1, MOST_ZOOM);
      this.show({ zoom: next, x: left - ((left - x) * next) / zoom, y: top - ((top - y) * next) / zoom });
    }

    /** Scale the sheet, and move it by shares of the stage so that it covers the stage. */
    show({ zoom, x, y }) {
      this.view = { zoom, x: limited(x, 1 - zoom, 0), y: limited(y, 1 - zoom, 0) };
      find("sheet").style.transform = `translate(${100 * this.view.x}%, ${100 * this.view.y}%) scale(${zoom})`;
      find("sheet").style.setProperty("--zoom", zoom);
      this.changed();
    }

    wheel(event) {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoomBy(Math.exp(-limited(event.deltaY, -60, 60) / 120), event.clientX, event.clientY);
    }

    place(event) {
      const box = this.canvas.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * this.canvas.width, ((event.clientY - box.top) / box.height) * this.canvas.height];
    }

    begin(event) {
      if (event.button) return;
      this.canvas.setPointerCapture(event.pointerId);
      this.fingers.set(event.pointerId, event);
      if (this.fingers.size > 1 && this.stroke) this.mask.strokes.pop();
      this.stroke = null;
      if (this.fingers.size > 1 || this.tool === "hand") return this.paint();
      this.stroke = { tool: this.tool, width: this.width, points: [this.place(event)] };
      this.mask.strokes.push(this.stroke);
      this.paint();
    }

    move(event) {
      this.showRing(event);
      if (this.fingers.has(event.pointerId) && !this.stroke) return this.pull(event);
      if (!this.stroke) return;
      const steps = event.getCoalescedEvents?.() ?? [];
      for (const step of steps.length ? steps : [event]) this.stroke.points.push(this.place(step));
      // The area of a lasso may shrink, so everything is painted anew; a line only grows.
      if (this.tool === "lasso") this.paint();
      else drawStroke(this.canvas.getContext("2d"), { ...this.stroke, points: this.stroke.points.slice(-1 - Math.max(1, steps.length)) });
    }

    /** One finger or the mouse moves the sheet; two fingers also scale it. */
    pull(event) {
      const before = [...this.fingers.values()];
      this.fingers.set(event.pointerId, event);
      const after = [...this.fingers.values()];
      const middle = (fingers, axis) => fingers.reduce((sum, finger) => sum + finger[axis], 0) / fingers.length;
      const spread = ([a, b]) => (b ? Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) : 1);
      const { zoom, x, y } = this.view;
      const { clientWidth, clientHeight } = find("paper-stage");
      const right = (middle(after, "clientX") - middle(before, "clientX")) / clientWidth;
      const down = (middle(after, "clientY") - middle(before, "clientY")) / clientHeight;
      this.show({ zoom, x: x + right, y: y + down });
      this.zoomBy(spread(after) / (spread(before) || 1), middle(after, "clientX"), middle(after, "clientY"));
    }

    end(event) {
      this.fingers.delete(event.pointerId);
      this.stroke = null;
      this.paint();
    }

    showRing(event) {
      const ring = find("ring"), { width, height } = this.canvas, [x, y] = this.place(event);
      ring.hidden = ["lasso", "hand"].includes(this.tool) || event.pointerType === "touch";
      Object.assign(ring.style, { left: `${(100 * x) / width}%`, top: `${(100 * y) / height}%` });
      Object.assign(ring.style, { width: `${(100 * this.width) / width}%`, height: `${(100 * this.width) / height}%` });
    }
  }

  // The result.

  /** One refined mask over the photo: slider, modes, patches, and the patches that changed most. */
  class Compare {
    constructor() {
      Object.assign(this, { row: null, parts: null, place: null, mode: "masks" });
      find("slider").addEventListener("input", () => this.slide());
      find("modes").addEventListener("change", (event) => this.setMode(event.target.value));
      find("patches").addEventListener("change", () => this.draw());
      this.setMode(this.mode);
      new ResizeObserver(() => this.draw()).observe(find("stage"));
    }

    async show({ url, width, height }, mask) {
      this.row = { cut: { width, height }, masks: { before: mask.before, after: mask.after } };
      this.parts = stage.prepare(this.row, url);
      this.boxes = new Path2D();
      for (const [x0, y0, x1, y1] of mask.boxes) this.boxes.rect(x0, y0, x1 - x0, y1 - y0);
      this.places = mask.boxes.slice(0, MOST_PLACES).map(([x0, y0, x1, y1]) => [x0, y0, Math.max(x1 - x0, y1 - y0)]);
      find("places").replaceChildren(...this.places.map((place, index) => this.placeButton(place, index)));
      await this.parts.image.decode();
      this.zoom(null);
    }

    placeButton(place, index) {
      const button = element("button", { classes: "place", type: "button" }, element("canvas"), element("span", { text: index + 1 }));
      button.setAttribute("aria-label", `Zoom to patch ${index + 1}`);
      button.addEventListener("click", () => this.zoom(this.place === place ? null : place));
      return button;
    }

    setMode(mode) {
      this.mode = mode;
      find("keys").replaceChildren(...Object.entries(KEYS[mode]).map(([kind, text]) => element("span", { classes: `key ${kind}`, text })));
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

  /** What became of a refined mask, in a few words, and what to do about it where it is less than all. */
  function verdictOn({ changed, boxes, verdict, foreground }) {
    const words = changed ? `changed by ${changed.toLocaleString("en")} px, ${((100 * changed) / foreground).toFixed(1)} % of the mask` : "kept as it was";
    if (!boxes.length) return { words, advice: "The mask has no edge inside the photo, so there is nothing to refine." };
    if (verdict?.taken === "nothing") {
      const rough = "Most often the mask is good already, or further from the object’s edge than a few pixels: then paint it closer.";
      return { words, more: true, advice: `What the network proposes is not expected to be better, so nothing was changed. ${rough}` };
    }
    if (verdict?.taken === "part") return { words, more: true, advice: "Taken where the network is sure; the rest stays as it was." };
    return { words, advice: changed ? "" : "The network proposes no change." };
  }

  // The page.

  const paper = new Paper(updateTools);
  const compare = new Compare();
  const given = { photo: null, masks: [], refined: [] };
  let cancel = null;

  /** Show a line, or hide the last one. */
  function say(id, text = "") {
    find(id).textContent = text;
    find(id).hidden = !text;
    if (text) find(id).scrollIntoView({ block: "nearest" });
  }

  /** Run a task that may fail and that the user may cancel; it may return what is to be focused. The page takes no other input meanwhile. */
  async function work(doing, task) {
    const main = document.querySelector("main");
    let focused = document.activeElement;
    cancel = new AbortController();
    say("error");
    find("doing").textContent = doing;
    find("progress").textContent = "";
    find("busy").hidden = false;
    main.inert = true;
    try {
      focused = (await task(cancel.signal)) ?? focused;
    } catch (error) {
      if (!cancel.signal.aborted) say("error", error.message);
    }
    find("busy").hidden = true;
    main.inert = false;
    focused.focus({ preventScroll: true });
  }

  /** Send files, a list by role, to the server. */
  async function ask(path, files, signal, flags = []) {
    const all = Object.entries(files).flatMap(([role, list]) => list.map((file) => [role, file]));
    const bytes = all.reduce((sum, [, file]) => sum + file.size, 0);
    if (bytes > +mostBytes) throw new Error(`expected files of at most ${mostBytes >> 20} MiB together, got ${bytes >> 20} MiB; save them smaller`);
    const body = new FormData();
    for (const [role, file] of all) body.append(role, file, file.name);
    for (const flag of flags) body.append(flag, "1");
    const response = await fetch(path, { method: "POST", body, signal }).catch(() => { throw new Error(NO_ANSWER); });
    if (!response.ok) throw new Error((await response.json()).error);
    return response;
  }

  /** The last of the lines of JSON in a response; the others say how far it is. */
  async function lastLine(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "", answer = null;
    for (;;) {
      const { value, done } = await reader.read().catch(() => { throw new Error(NO_ANSWER); });
      if (done) break;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        answer = JSON.parse(line);
        if (answer.patches?.[1]) find("progress").textContent = `${answer.patches[0]} of ${answer.patches[1]} patches`;
      }
    }
    if (answer?.error) throw new Error(answer.error);
    if (!answer?.masks) throw new Error(NO_ANSWER);
    return answer;
  }

  /** The size at which the server works on a photo. */
  function workSize(width, height) {
    const scale = Math.min(1, Math.sqrt(+mostPixels / (width * height)));
    return { width: Math.max(1, Math.trunc(width * scale)), height: Math.max(1, Math.trunc(height * scale)) };
  }

  const TAKE = {
    async photo([file]) {
      const url = URL.createObjectURL(file), probe = new Image();
      probe.src = url;
      await probe.decode().catch(() => { throw new Error(`${file.name}: expected a photo that this browser can show (PNG, JPEG, WebP), got another file`); });
      const full = { width: probe.naturalWidth, height: probe.naturalHeight };
      const waiting = given.photo ? [] : given.masks;
      if (given.photo) URL.revokeObjectURL(given.photo.url);
      const photo = (given.photo = { file, url, full, ...workSize(full.width, full.height) });
      given.masks = [];
      find("photo-shown").src = url;
      find("guide").open = false;
      const scaled = photo.width < full.width;
      say("note", scaled ? `${file.name} is large: it is worked on at ${size(photo)} pixels. The mask comes back at the photo’s ${size(full)}, with edges as fine as that.` : "");
      paper.reset(photo);
      edit();
      for (const mask of waiting) join(mask);
      edit();
    },

    async mask(files, signal) {
      for (const file of files) {
        const answer = await (await ask("mask", { mask: [file] }, signal)).json();
        join({ ...newMask(file.name, file), ...answer });
        if (answer.remark) say("note", answer.remark);
      }
      edit();
    },
  };

  /** Take a mask; it replaces the selected one if nothing is painted there. */
  function join(mask) {
    const { photo, masks } = given;
    if (photo && (mask.width !== photo.full.width || mask.height !== photo.full.height)) {
      const sizes = `expected ${photo.full.width}x${photo.full.height} pixels (width x height) as the photo, got ${mask.width}x${mask.height}`;
      throw new Error(`${mask.name}: ${sizes}; save it at the photo's size`);
    }
    if (photo) {
      const { width, height, at } = decode(mask.counts, photo.width, photo.height), paint = ink(colour("--coarse"), 1);
      mask.base = layer({ width, height }, (index) => (at[index] ? paint : 0));
    }
    const place = masks.findIndex((other) => photo && isEmpty(other));
    masks.splice(place < 0 ? masks.length : place, place < 0 ? 0 : 1, mask);
    select(mask);
  }

  function select(mask) {
    if (given.photo) paper.take(mask, given.masks);
    updateTools();
  }

  /** A mask that is painted on nothing. */
  function add() {
    const numbers = given.masks.map(({ name }) => +/^painted (\d+)$/.exec(name)?.[1] || 0);
    const mask = newMask(`painted ${Math.max(0, ...numbers) + 1}`);
    given.masks.push(mask);
    select(mask);
  }

  function remove(mask) {
    given.masks = given.masks.filter((other) => other !== mask);
    if (!given.masks.length) return add();
    select(paper.mask === mask ? given.masks.at(-1) : paper.mask);
  }

  /** Show the rough masks instead of the result. */
  function edit() {
    find("drawing").hidden = !given.photo;
    find("result").hidden = true;
    if (given.photo && !given.masks.length) add();
    updateTools();
  }

  /** A row of a list of masks: a button that selects it, and more beside it. */
  function listed(mask, chosen, note, choose, ...more) {
    const button = element("button", { classes: "name", type: "button" }, element("b", { text: mask.name }), element("span", { classes: "soft", text: note }));
    button.setAttribute("aria-pressed", String(chosen));
    button.addEventListener("click", choose);
    return element("li", {}, button, ...more);
  }

  /** Put new rows into a list; the focus stays in it. */
  function fill(id, rows) {
    const list = find(id), focused = list.contains(document.activeElement);
    list.replaceChildren(...rows);
    if (focused) list.querySelector("[aria-pressed=true]").focus();
  }

  /** Update what depends on the files, the strokes and the zoom. */
  function updateTools() {
    const { photo, masks } = given, { mask } = paper;
    const files = masks.filter(({ file }) => file);
    const told = { photo: photo && `${photo.file.name}, ${size(photo.full)}`, mask: files.length > 1 ? `${files.length} masks` : files[0] && `${files[0].name}, ${size(files[0])}` };
    for (const zone of document.querySelectorAll(".zone")) {
      const words = zone.querySelector(".words .soft"), text = told[zone.dataset.role];
      zone.classList.toggle("given", Boolean(text));
      words.textContent = text || words.dataset.prompt;
    }
    fill("masks", masks.map((one) => {
      const bin = element("button", { classes: "remove", type: "button", text: "×" });
      bin.setAttribute("aria-label", `Remove ${one.name}`);
      bin.addEventListener("click", () => remove(one));
      const note = isEmpty(one) ? "empty: paint the object" : one.file && one.strokes.length ? "painted on" : "";
      return listed(one, one === mask, note, () => select(one), ...(masks.length > 1 ? [bin] : []));
    }));
    find("size-shown").textContent = `${paper.width} px`;
    find("zoom").textContent = `${paper.view.zoom.toFixed(1)} ×`;
    find("zoom-out").disabled = find("zoom-fit").disabled = paper.view.zoom === 1;
    find("zoom-in").disabled = paper.view.zoom === MOST_ZOOM;
    find("undo").disabled = !mask.strokes.length;
    find("clear").disabled = isEmpty(mask);
    find("refine").disabled = masks.every(isEmpty);
  }

  async function refine(signal, flags = []) {
    const { photo } = given, masks = given.masks.filter((mask) => !isEmpty(mask));
    const files = await Promise.all(masks.map((mask) => fileOf(mask, photo)));
    const answer = await lastLine(await ask("refine", { photo: [photo.file], mask: files }, signal, flags));
    given.refined = answer.masks.map((one, index) => ({ ...one, name: masks[index].name, file: masks[index].file, seconds: answer.seconds }));
    find("drawing").hidden = true;
    find("result").hidden = false;
    await inspect(given.refined[Math.max(0, masks.indexOf(paper.mask))]);
    return find("slider");
  }

  /** Show one of the refined masks. */
  async function inspect(mask) {
    const { photo, refined } = given, { advice, more } = verdictOn(mask);
    fill("verdicts", refined.map((one) => listed(one, one === mask, verdictOn(one).words, () => inspect(one))));
    find("advice").textContent = advice;
    find("advice").hidden = !advice;
    find("every-change").hidden = !more;
    const facts = { patches: String(mask.boxes.length), time: `${mask.seconds.toFixed(2)} s` };
    if (photo.width < photo.full.width) facts["worked on at"] = size(photo);
    find("facts").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => [element("dt", { text: name }), element("dd", { text: value })]));
    offer(mask);
    await compare.show(photo, mask);
  }

  function offer(mask) {
    const link = find("download");
    if (link.href) URL.revokeObjectURL(link.href);
    const bytes = Uint8Array.from(atob(mask.png), (letter) => letter.charCodeAt(0));
    mask.result = new File([bytes], "mask.png", { type: "image/png" });
    mask.stem = mask.file ? stem(mask.file.name) : [stem(given.photo.file.name), ...(given.refined.length > 1 ? [mask.name.replace(" ", "_")] : [])].join("_");
    link.href = URL.createObjectURL(mask.result);
    link.download = `${mask.stem}_refined.png`;
    find("cutout").onclick = () => work("Cutting out…", (signal) => cutOut(mask, signal));
  }

  async function cutOut({ result, stem }, signal) {
    const response = await ask("cutout", { photo: [given.photo.file], mask: [result] }, signal);
    const url = URL.createObjectURL(await response.blob());
    element("a", { href: url, download: `${stem}_cutout.png` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  async function demo(signal) {
    given.masks = given.photo ? given.masks : [];
    for (const role of ["photo", "mask"]) {
      const answer = await fetch(`demo/${role}.png`, { signal }).catch(() => { throw new Error(NO_ANSWER); });
      await TAKE[role]([new File([await answer.blob()], `sample_${role}.png`, { type: "image/png" })], signal);
    }
  }

  function takeFrom(zone) {
    const { role } = zone.dataset, input = zone.querySelector("input");
    const take = (files) => files.length && work("Reading…", (signal) => TAKE[role](files, signal));
    input.addEventListener("change", () => { take([...input.files]); input.value = ""; });
    zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
    zone.addEventListener("dragleave", () => zone.classList.remove("over"));
    zone.addEventListener("drop", (event) => { event.preventDefault(); zone.classList.remove("over"); take([...event.dataTransfer.files]); });
  }

  function setSize() {
    paper.share = (find("size").value / 100) ** 2 / 3;
    updateTools();
  }

  const ON_CLICK = {
    demo: () => work("Loading the sample…", demo),
    add,
    undo: () => { paper.mask.strokes.pop(); paper.paint(); },
    clear: () => { Object.assign(paper.mask, { file: null, base: null, strokes: [] }); paper.paint(); },
    refine: () => work("Refining…", refine),
    "every-change": () => work("Refining…", (signal) => refine(signal, ["every-change"])),
    back: () => { edit(); find("refine").focus({ preventScroll: true }); },
    "zoom-in": () => paper.zoomBy(ZOOM_STEP),
    "zoom-out": () => paper.zoomBy(1 / ZOOM_STEP),
    "zoom-fit": () => paper.fit(),
    cancel: () => cancel.abort(),
  };
  for (const [id, act] of Object.entries(ON_CLICK)) find(id).addEventListener("click", act);
  document.querySelectorAll(".zone").forEach(takeFrom);
  // A file dropped beside a zone would replace the page.
  for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
  find("tools").addEventListener("change", (event) => { paper.tool = event.target.value; paper.canvas.dataset.tool = paper.tool; });
  find("size").addEventListener("input", setSize);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !find("busy").hidden) cancel.abort();
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && paper.mask.strokes.length && !find("drawing").hidden) ON_CLICK.undo();
  });
  setSize();
})(globalThis.bprReport.masks, globalThis.bprReport.stage);
