// Takes a photo and a mask, sends them to the server, and offers the refined mask as a file.
"use strict";

(function (app, { decode }) {
  const find = (id) => document.getElementById(id);
  const { mostPixels, mostBytes } = document.documentElement.dataset;
  const paper = new app.Paper(find("paper"), find("ring"), updateTools);
  const compare = new app.Compare();
  const given = { photo: null, mask: null };
  const NO_ANSWER = "bpr app does not answer; is it still running in its terminal?";

  /** Show an error in one line, or hide the last one. */
  function showError(text = "") {
    find("error").textContent = text;
    find("error").hidden = !text;
    if (text) find("error").scrollIntoView({ block: "nearest" });
  }

  /** Run a task that may fail. The page takes no other input meanwhile. */
  async function work(status, task) {
    const focused = document.activeElement;
    showError();
    find("status").textContent = status;
    find("inputs").inert = find("drawing").inert = true;
    try {
      await task();
    } catch (error) {
      showError(error.message);
    }
    find("inputs").inert = find("drawing").inert = false;
    find("status").textContent = "";
    if (document.activeElement === document.body) focused.focus({ preventScroll: true });
  }

  /** Send files to the server and return its answer. */
  async function ask(path, files) {
    const sizes = Object.values(files).reduce((sum, file) => sum + file.size, 0);
    if (sizes > +mostBytes) throw new Error(`expected files of at most ${mostBytes >> 20} MiB together, got ${sizes >> 20} MiB; save them smaller`);
    const body = new FormData();
    for (const [role, file] of Object.entries(files)) body.append(role, file, file.name);
    const response = await fetch(path, { method: "POST", body }).catch(() => { throw new Error(NO_ANSWER); });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    return answer;
  }

  const TAKE = {
    async photo(file) {
      const image = find("photo-shown"), url = URL.createObjectURL(file);
      const probe = new Image();
      probe.src = url;
      await probe.decode().catch(() => { throw new Error(`${file.name}: expected a photo that this browser can show (PNG, JPEG, WebP), got another file`); });
      const { naturalWidth: width, naturalHeight: height } = probe;
      if (width * height > +mostPixels) {
        throw new Error(`${file.name}: expected at most ${mostPixels} pixels, got ${width}x${height}; shrink it, or start bpr app with a larger --max-pixels`);
      }
      if (given.photo) URL.revokeObjectURL(given.photo.url);
      const photo = { file, url, width, height }, waiting = given.photo ? null : given.mask;
      image.src = url;
      note("photo", photo);
      note("mask", null);
      find("paper-stage").style.setProperty("--ratio", width / height);
      paper.reset(width, height);
      edit();
      if (waiting) join(waiting);
    },

    async mask(file) {
      const answer = await ask("mask", { mask: file });
      join({ file, ...answer });
      edit();
      showError(answer.remark);
    },
  };

  /** Remember a file (null for none), and show its name where it was chosen. */
  function note(role, item) {
    given[role] = item;
    const zone = document.querySelector(`.zone[data-role=${role}]`), words = zone.querySelector("span");
    zone.classList.toggle("given", Boolean(item));
    words.textContent = item ? `${item.file.name}, ${item.width} × ${item.height}` : words.dataset.prompt;
  }

  /** Take a mask, and draw it over the photo if there is one. */
  function join(mask) {
    const { photo } = given;
    if (photo && (mask.width !== photo.width || mask.height !== photo.height)) {
      const sizes = `expected ${photo.width}x${photo.height} pixels (width x height) as the photo, got ${mask.width}x${mask.height}`;
      throw new Error(`${mask.file.name}: ${sizes}; save it at the photo's size`);
    }
    note("mask", mask);
    if (photo) paper.load(decode(mask.counts, mask.width, mask.height));
  }

  /** Show the rough mask instead of the result. */
  function edit() {
    find("drawing").hidden = !given.photo;
    find("result").hidden = true;
    updateTools();
  }

  /** Update the buttons and the width of the brush. */
  function updateTools() {
    find("size-shown").textContent = `${paper.width} px`;
    find("undo").disabled = !paper.drawn;
    find("clear").disabled = find("refine").disabled = paper.empty;
  }

  async function refine() {
    const { photo, mask } = given;
    const sent = paper.drawn || !mask ? await paper.file() : mask.file;
    const answer = await ask("refine", { photo: photo.file, mask: sent });
    find("drawing").hidden = true;
    find("result").hidden = false;
    await compare.show(photo.url, photo, answer);
    offer(answer.png, `${(mask ?? photo).file.name.replace(/\.\w+$/, "")}_refined.png`);
    find("slider").focus({ preventScroll: true });
  }

  function offer(text, name) {
    const link = find("download");
    if (link.href) URL.revokeObjectURL(link.href);
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    link.href = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
    link.download = name;
  }

  async function demo() {
    for (const role of ["photo", "mask"]) {
      const answer = await fetch(`demo/${role}.png`).catch(() => { throw new Error(NO_ANSWER); });
      await TAKE[role](new File([await answer.blob()], `demo_${role}.png`, { type: "image/png" }));
    }
  }

  function takeFrom(zone) {
    const { role } = zone.dataset, input = zone.querySelector("input");
    const take = (files) => files.length && work("Reading…", () => TAKE[role](files[0]));
    input.addEventListener("change", () => { take([...input.files]); input.value = ""; });
    zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
    zone.addEventListener("dragleave", () => zone.classList.remove("over"));
    zone.addEventListener("drop", (event) => { event.preventDefault(); zone.classList.remove("over"); take(event.dataTransfer.files); });
  }

  function setSize() {
    paper.share = (find("size").value / 100) ** 2 / 3;
    updateTools();
  }

  document.querySelectorAll(".zone").forEach(takeFrom);
  // A file dropped beside a zone would replace the page.
  for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
  find("demo").addEventListener("click", () => work("Painting…", demo));
  find("refine").addEventListener("click", () => work("Refining…", refine));
  find("back").addEventListener("click", () => { edit(); find("refine").focus({ preventScroll: true }); });
  find("undo").addEventListener("click", () => paper.undo());
  find("clear").addEventListener("click", () => { note("mask", null); paper.load(null); });
  find("tools").addEventListener("change", (event) => (paper.tool = event.target.value));
  find("size").addEventListener("input", setSize);
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && paper.drawn && !find("drawing").hidden) paper.undo();
  });
  setSize();
})((globalThis.bprApp ??= {}), globalThis.bprReport.masks);
