// The address decides what is shown: #overview, #gallery?class=cat&sort=harm, #harmed, #instance=12.
"use strict";

(function (report) {
  const { rows, element } = report;
  const data = globalThis.bprReportData;
  const find = (id) => document.getElementById(id);
  const form = find("filters");
  const gallery = new report.Gallery(find("cards"));
  const viewer = new report.Viewer(find("viewer"), leave);
  const PRESETS = { gallery: {}, harmed: { verdict: "harmed", sort: "harm" } };
  const LEADS = {
    harmed: "Masks that fit the ground truth less well than before, the worst first. Open a mask and choose Errors to see where it went wrong.",
  };
  const title = { gallery: "Masks", harmed: "Harmed", plainLead: find("gallery-lead").textContent };
  let view = "overview";
  let shown = data.instances;
  let drawn = null;

  function address() {
    const [name, query = ""] = location.hash.slice(1).split("?");
    return { name, query: Object.fromEntries(new URLSearchParams(query)) };
  }

  function route() {
    const { name, query } = address();
    const number = /^instance=(\d+)$/.exec(name)?.[1];
    const row = number && data.instances.find((candidate) => candidate.number === +number);
    if (row) {
      viewer.open(row, shown.includes(row) ? shown : data.instances);
      return;
    }
    if (viewer.dialog.open) viewer.dialog.close();
    show(name in PRESETS && (name !== "harmed" || data.hasTruth) ? name : "overview", query);
  }

  function show(name, query) {
    const moved = name !== view;
    view = name;
    find("view-overview").hidden = name !== "overview";
    find("view-gallery").hidden = name === "overview";
    for (const link of document.querySelectorAll("[data-view]")) {
      if (link.dataset.view === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (name !== "overview") showGallery(name, { ...PRESETS[name], ...query });
    if (moved) scrollTo(0, 0);
  }

  function showGallery(name, filters) {
    find("gallery-title").textContent = title[name];
    find("gallery-lead").textContent = LEADS[name] ?? title.plainLead;
    for (const field of form.elements) if (field.name) field.value = filters[field.name] ?? (field.name === "sort" ? rows.firstOrder : "");
    // Closing a mask comes back here. Keeping the cards keeps the scroll position.
    const wanted = JSON.stringify(filters);
    if (wanted === drawn) return;
    drawn = wanted;
    shown = rows.select(data.instances, filters);
    gallery.show(shown);
    find("found").textContent = `${shown.length} of ${data.instances.length} masks`;
    find("nothing").hidden = shown.length > 0;
  }

  /** The address that stands for the filters in the form. */
  function filterAddress() {
    const preset = PRESETS[view] ?? {};
    const set = [...new FormData(form)].filter(([name, value]) => value !== (preset[name] ?? (name === "sort" ? rows.firstOrder : "")));
    const query = new URLSearchParams(set).toString();
    return `#${view}${query ? `?${query}` : ""}`;
  }

  function filter() {
    history.replaceState(null, "", filterAddress());
    route();
  }

  /** After a mask was closed: go back to where it was opened and focus its card. */
  function leave(row) {
    if (address().name.startsWith("instance=")) history.replaceState(null, "", view === "overview" ? "#overview" : filterAddress());
    if (view !== "overview") gallery.focus(shown.indexOf(row));
  }

  function press(event) {
    const typing = /^(input|select|textarea)$/i.test(event.target.tagName) && event.target.type !== "range";
    if (typing || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "?") find("keys").showModal();
    // A decision needs a mask: before one is chosen, its key chooses the first.
    if (event.target === document.body && view !== "overview" && !viewer.dialog.open && report.decisions?.wordOf(event)) gallery.focus(0);
    if (event.key === "/" && !viewer.dialog.open) {
      event.preventDefault();
      if (view === "overview") location.hash = "#gallery";
      show(view === "overview" ? "gallery" : view, address().query);
      form.elements.text.focus();
    }
  }

  function start() {
    const classes = rows.classes(data.instances);
    report.oneClass = classes.length === 1;
    for (const [name, count] of classes) {
      const option = element("option", "", `${name} (${count})`);
      option.value = name;
      form.elements.class.append(option);
    }
    if (data.hasTruth) find("harmed-count").textContent = rows.select(data.instances, { verdict: "harmed" }).length;
    find("more").open = matchMedia("(min-width: 48rem)").matches;
    for (const dot of document.querySelectorAll(".plot a")) dot.setAttribute("tabindex", "-1");
    for (const field of form.elements) if (field.name) field.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(() => { location.hash = `#${view}`; filter(); }));
    find("show-keys").addEventListener("click", () => find("keys").showModal());
    find("keys").querySelector("[data-close]").addEventListener("click", () => find("keys").close());
    addEventListener("keydown", press);
    addEventListener("hashchange", route);
    route();
  }

  start();
})((globalThis.bprReport ??= {}));
