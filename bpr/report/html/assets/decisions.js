// What a person decides about each mask: `row.mark` is "keep" or "undo". A download holds the decisions, which can be loaded again.
"use strict";

(function (report) {
  const { element } = report;
  const data = globalThis.bprReportData;
  if (!data.sides) return;
  const find = (id) => document.getElementById(id);
  const WORDS = { keep: "Keep", undo: "Undo" };
  const KEYS = { k: "keep", u: "undo" };
  const elsewhere = { keep: [], undo: [] }; // loaded decisions about masks that this report does not show
  let saved = true;

  function marked(word) {
    return data.instances.filter((row) => row.mark === word).map((row) => row.id);
  }

  function changed() {
    const [undo, keep] = [marked("undo").length, marked("keep").length];
    find("decided").textContent = `${undo} to undo, ${keep} to keep, ${data.instances.length - undo - keep} open`;
    dispatchEvent(new Event("decision"));
  }

  /** Decides about a row; the same decision again takes it back. */
  function mark(row, word) {
    row.mark = row.mark === word ? undefined : word;
    saved = false;
    changed();
  }

  /** Shows the decision about a row as two buttons in `holder`. */
  function show(holder, row) {
    holder.row = row;
    if (!holder.firstChild) {
      for (const [word, text] of Object.entries(WORDS)) {
        const button = element("button", word, text);
        button.type = "button";
        button.addEventListener("click", () => mark(holder.row, word));
        holder.append(button);
      }
    }
    for (const button of holder.children) {
      button.setAttribute("aria-pressed", String(button.className === row.mark));
      button.setAttribute("aria-label", `${button.textContent} ${row.class} ${row.id}`);
    }
  }

  /** The decision that a key stands for. */
  function wordOf(event) {
    return event.altKey || event.ctrlKey || event.metaKey ? undefined : KEYS[event.key.toLowerCase()];
  }

  function save() {
    const words = Object.keys(WORDS).map((word) => [word, [...marked(word), ...elsewhere[word]]]);
    const link = element("a");
    link.download = "decisions.json";
    link.href = `data:application/json,${encodeURIComponent(JSON.stringify({ ...data.sides, ...Object.fromEntries(words) }, null, 1))}`;
    link.click();
    saved = true;
    say("");
  }

  function say(problem) {
    find("decisions-problem").textContent = problem;
    find("decisions-problem").hidden = !problem;
  }

  async function load(file) {
    let found;
    try {
      found = JSON.parse(await file.text());
      for (const word of Object.keys(WORDS)) found[word] = found[word].map(String);
    } catch {
      return say(`${file.name}: expected decisions that this page saved, got something else`);
    }
    const other = Object.keys(data.sides).find((side) => found[side]?.masks !== data.sides[side].masks);
    if (other) return say(`${file.name}: expected decisions about ${data.sides[other].name}, got those about ${found[other]?.name ?? "nothing"} or another version of it`);
    const ids = new Set(data.instances.map((row) => row.id));
    for (const word of Object.keys(WORDS)) elsewhere[word] = found[word].filter((id) => !ids.has(id));
    for (const row of data.instances) row.mark = Object.keys(WORDS).find((word) => found[word].includes(row.id)) ?? row.mark;
    const hidden = elsewhere.keep.length + elsewhere.undo.length;
    say(hidden ? `${hidden} decisions are about masks that this report does not show; they stay in the file` : "");
    changed();
  }

  find("save-decisions").addEventListener("click", save);
  find("load-decisions").addEventListener("change", (event) => {
    if (event.target.files[0]) load(event.target.files[0]);
    event.target.value = ""; // so that the same file can be chosen again
  });
  addEventListener("beforeunload", (event) => { if (!saved) event.preventDefault(); });
  changed();

  report.decisions = { mark, show, wordOf };
})((globalThis.bprReport ??= {}));
