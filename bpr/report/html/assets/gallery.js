// The cards. Every mask has a shell; a shell is filled while it is near the window, and empty otherwise.
"use strict";

(function (report) {
  const { signed, judged } = report.rows;
  const NEAR = "600px 0px";

  function element(name, classes = "", text = "") {
    const made = document.createElement(name);
    if (classes) made.className = classes;
    if (text) made.textContent = text;
    return made;
  }

  function pill(row) {
    const kind = { improved: "gain", harmed: "harm" }[row.verdict] ?? "same";
    const text = row.metrics ? signed(row.change) : `${row.change.toFixed(1)} changed`;
    return element("span", `change ${kind}`, text);
  }

  function picture(row) {
    const image = element("img");
    image.src = `data/thumbnails/${row.number}.jpg`;
    image.alt = "";
    image.loading = "lazy";
    image.decoding = "async";
    return image;
  }

  /** The class of a mask, or its image if all masks have the same class. */
  function name(row) {
    return report.oneClass ? row.image : row.class;
  }

  function card(row) {
    const link = element("a", "card");
    link.href = `#instance=${row.number}`;
    const first = element("span", "row");
    first.append(element("b", "name", name(row)), pill(row));
    const second = element("span", "row soft");
    second.append(element("span", "", row.metrics ? `IoU ${row.metrics.iou[0].toFixed(1)} → ${row.metrics.iou[1].toFixed(1)}` : `area ${signed(row.areaChange)} %`));
    if (row.score !== null) second.append(element("span", "", row.score.toFixed(2)));
    link.append(picture(row), first, second);
    if (row.judged) link.append(element("span", "row soft", judged(row)));
    link.setAttribute("aria-label", `${row.class}, ${row.metrics ? `IoU ${row.metrics.iou[0]} to ${row.metrics.iou[1]}, gain` : "changed by"} ${row.change} points`);
    return link;
  }

  /** Fills `list` with shells, and the shells near the window with cards. */
  class Gallery {
    constructor(list) {
      this.list = list;
      this.rows = [];
      this.watcher = new IntersectionObserver((seen) => seen.forEach((entry) => this.fill(entry.target, entry.isIntersecting)), { rootMargin: NEAR });
      list.addEventListener("keydown", (event) => this.walk(event));
      list.addEventListener("click", (event) => event.target.closest(".decide button") && this.focus(+event.target.closest("li").dataset.index + 1));
      addEventListener("decision", () => [...list.children].forEach((shell) => shell.firstChild && this.mark(shell)));
    }

    show(rows) {
      this.watcher.disconnect();
      this.rows = rows;
      const shells = rows.map((row, index) => {
        const shell = element("li");
        shell.dataset.index = index;
        return shell;
      });
      this.list.replaceChildren(...shells);
      shells.forEach((shell) => this.watcher.observe(shell));
    }

    fill(shell, near) {
      if (near && !shell.firstChild) {
        shell.append(card(this.rows[shell.dataset.index]));
        this.mark(shell);
      }
      if (!near && shell.firstChild && !shell.contains(document.activeElement)) shell.replaceChildren();
    }

    /** Shows the decision about the mask of a filled shell. */
    mark(shell) {
      if (!report.decisions) return;
      if (!shell.children[1]) shell.append(element("span", "decide"));
      report.decisions.show(shell.children[1], this.rows[shell.dataset.index]);
    }

    /** Moves the focus to the card at `index`. */
    focus(index) {
      const shell = this.list.children[index];
      if (!shell) return;
      this.fill(shell, true);
      shell.firstChild.focus();
      shell.scrollIntoView({ block: "nearest" });
    }

    walk(event) {
      const shell = event.target.closest("li");
      const columns = getComputedStyle(this.list).gridTemplateColumns.split(" ").length;
      const word = report.decisions?.wordOf(event);
      const step = word ? 1 : { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
      if (!shell || !step || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      if (word) report.decisions.mark(this.rows[shell.dataset.index], word);
      this.focus(+shell.dataset.index + step);
    }
  }

  report.Gallery = Gallery;
  report.element = element;
})((globalThis.bprReport ??= {}));
