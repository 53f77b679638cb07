"use strict";
(() => {
  const root = document.documentElement;
  const remembered = () => { try { return localStorage.getItem("ck-theme"); } catch { return null; } };
  const button = document.getElementById("theme");
  const setTheme = (dark) => {
    root.dataset.theme = dark ? "dark" : "light";
    button.setAttribute("aria-pressed", String(dark));
  };
  setTheme((remembered() || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark");
  button.addEventListener("click", () => {
    setTheme(root.dataset.theme !== "dark");
    try { localStorage.setItem("ck-theme", root.dataset.theme); } catch { /* private window: the choice lasts for this page */ }
  });

  const tip = document.getElementById("tip");
  const showTip = (_handler, event, _item, value) => {
    if (value === null || value === undefined || value === "") { tip.hidden = true; return; }
    tip.textContent = typeof value === "object"
      ? Object.entries(value).map(([name, text]) => `${name}: ${text}`).join("\n") : String(value);
    tip.hidden = false;
    const x = Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(8, x)}px`;
    tip.style.top = `${Math.min(event.clientY + 12, innerHeight - tip.offsetHeight - 8)}px`;
  };

  const source = document.getElementById("charts");
  window.ckViews = {};
  window.ckReady = Promise.resolve();
  if (source) {
    const specs = JSON.parse(source.textContent);
    const draw = async (place) => {
      const key = place.dataset.chart;
      if (!specs[key] || window.ckViews[key]) return;
      // expressions are interpreted, not compiled: the page's policy forbids code made from text
      const shown = await vegaEmbed(place, specs[key], { mode: "vega-lite", renderer: "svg", actions: false, ast: true, tooltip: showTip });
      window.ckViews[key] = shown.view;
    };
    window.ckReady = (async () => { for (const place of document.querySelectorAll(".chart[data-chart]")) await draw(place); })();
  }

  for (const table of document.querySelectorAll("table[data-sortable]")) sortable(table);

  function sortable(table) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
    heads.forEach((head, column) => {
      const press = head.querySelector("button");
      if (!press) return;
      press.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...body.rows];
        const numeric = rows.every((row) => value(row, column) === "" || !Number.isNaN(Number(value(row, column))));
        rows.sort((one, other) => {
          const [a, b] = [value(one, column), value(other, column)];
          if (a === "" || b === "") return (a === "") - (b === "");
          const order = numeric ? Number(a) - Number(b) : a.localeCompare(b, undefined, { numeric: true });
          return down ? -order : order;
        });
        body.append(...rows);
      });
    });
    const form = document.getElementById(table.dataset.filters || "");
    if (!form) return;
    const count = document.getElementById(`${form.id}-count`);
    const apply = () => {
      const text = (form.querySelector("input[type=search]")?.value || "").trim().toLowerCase();
      const wanted = [...form.querySelectorAll("select[data-column]")].filter((each) => each.value !== "");
      let shown = 0;
      for (const row of body.rows) {
        const fits = (!text || row.textContent.toLowerCase().includes(text))
          && wanted.every((each) => row.dataset[each.dataset.column] === each.value);
        row.hidden = !fits;
        shown += fits;
      }
      if (count) count.textContent = `${shown} of ${body.rows.length}`;
    };
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    apply();
  }

  // a site that `ck report --serve` shows is loaded again when experiments come in; a page from disk asks nobody
  if (location.protocol === "http:" && ["127.0.0.1", "localhost"].includes(location.hostname)) {
    let before = null;
    setInterval(async () => {
      try {
        const now = await (await fetch("/state")).text();
        if (before !== null && now !== before) location.reload();
        before = now;
      } catch { /* the server has ended */ }
    }, 3000);
  }

  gallery();

  function gallery() {
    const content = document.getElementById("gallery-data");
    if (!content) return;
    const { classes, images, runs } = JSON.parse(content.textContent);
    const at = (id) => document.getElementById(`gallery-${id}`);
    const list = document.getElementById("gallery");
    const step = 24;
    let limit = step;
    classes.forEach((name, number) => at("class").add(new Option(name, String(number))));
    const asked = () => ({
      score: Number(at("score").value), kind: at("class").value, size: at("size").value, show: at("show").value,
      order: at("order").value, name: at("name").value.trim().toLowerCase(), run: Number(at("run")?.value || 0),
    });
    const area = (box) => { const size = box[2] * box[3]; return size < 1024 ? "0" : size < 9216 ? "1" : "2"; };
    // of one run: boxes that count under the filters
    const judged = (image, run, ask) => {
      const kindFits = (number) => ask.kind === "" || ask.kind === String(number);
      const found = [], wrong = [], missed = [], objects = [];
      for (const box of image.runs[run].boxes) {
        if (box[4] < ask.score || !kindFits(box[5]) || (ask.size !== "" && ask.size !== area(box))) continue;
        if (box[6] === 1) found.push(box); else if (box[6] === 0) wrong.push(box);
      }
      image.objects.forEach((box, number) => {
        if (box[6] || !kindFits(box[4]) || (ask.size !== "" && ask.size !== String(box[5]))) return;
        (image.runs[run].finders[number] >= ask.score ? objects : missed).push(box);
      });
      return { image, found, wrong, missed, objects, errors: wrong.length + missed.length };
    };
    const differ = (image, ask) => {
      const key = (run) => { const row = judged(image, run, ask); return [row.found.length, row.wrong.length, row.missed.length].join(); };
      return runs.length > 1 && runs.some((_, run) => key(run) !== key(0));
    };
    const chosen = () => {
      const ask = asked();
      let rows = images.filter((image) => !ask.name || image.name.toLowerCase().includes(ask.name)).map((image) => judged(image, ask.run, ask));
      if (ask.kind !== "" || ask.size !== "") rows = rows.filter((row) => row.found.length + row.objects.length + row.errors);
      if (ask.show === "missed") rows = rows.filter((row) => row.missed.length);
      if (ask.show === "false") rows = rows.filter((row) => row.wrong.length);
      if (ask.show === "clean") rows = rows.filter((row) => !row.errors);
      if (ask.show === "differ") rows = rows.filter((row) => differ(row.image, ask));
      if (ask.order === "worst") rows.sort((one, other) => other.errors - one.errors || one.image.number - other.image.number);
      if (ask.order === "data") rows.sort((one, other) => one.image.number - other.image.number);
      if (ask.order === "name") rows.sort((one, other) => one.image.name.localeCompare(other.image.name, undefined, { numeric: true }));
      return rows;
    };
    const NS = "http://www.w3.org/2000/svg";
    const frame = (row, labels) => {
      const { image } = row;
      const holder = document.createElement("span");
      holder.className = "frame";
      holder.style.aspectRatio = `${image.width} / ${image.height}`;
      if (image.picture) {
        const picture = document.createElement("img");
        picture.src = image.picture;
        picture.alt = "";
        holder.append(picture);
      }
      const drawing = document.createElementNS(NS, "svg");
      drawing.setAttribute("viewBox", `0 0 ${image.width} ${image.height}`);
      drawing.setAttribute("preserveAspectRatio", "none");
      drawing.setAttribute("aria-hidden", "true");
      const put = (boxes, look, text) => boxes.forEach((box) => {
        const shape = document.createElementNS(NS, "rect");
        ["x", "y", "width", "height"].forEach((name, part) => shape.setAttribute(name, String(Math.max(0, box[part]))));
        shape.setAttribute("class", look);
        drawing.append(shape);
        if (!labels) return;
        const size = image.width / 45;
        const word = document.createElementNS(NS, "text");
        word.textContent = text(box);
        word.setAttribute("x", String(box[0] + size / 4));
        word.setAttribute("y", String(Math.max(size, box[1] - size / 4)));
        word.setAttribute("font-size", String(size));
        drawing.append(word);
      });
      put(row.objects, "truth", () => "");
      put(row.missed, "missed", (box) => `missed ${classes[box[4]]}`);
      put(row.wrong, "false", (box) => `${classes[box[5]]} ${box[4].toFixed(2)}`);
      put(row.found, "found", (box) => `${classes[box[5]]} ${box[4].toFixed(2)}`);
      holder.append(drawing);
      return holder;
    };
    const counts = (row) => `${row.found.length} found, ${row.missed.length} missed, ${row.wrong.length} false`;
    const card = (row) => {
      const item = document.createElement("li");
      const press = document.createElement("button");
      press.type = "button";
      const caption = document.createElement("span");
      caption.className = "caption";
      caption.textContent = row.image.name;
      const more = document.createElement("small");
      more.textContent = row.image.picture ? counts(row) : `${counts(row)}; ${row.image.why}`;
      caption.append(more);
      press.append(frame(row, false), caption);
      press.addEventListener("click", () => open(row));
      item.append(press);
      return item;
    };
    const dialog = at("dialog");
    const open = (row) => {
      at("title").textContent = `${row.image.name}: ${counts(row)}`;
      at("large").replaceChildren(frame(row, true));
      const rows = document.createElement("ul");
      const add = (boxes, text) => boxes.forEach((box) => { const item = document.createElement("li"); item.textContent = text(box); rows.append(item); });
      add(row.missed, (box) => `missed: ${classes[box[4]]}`);
      add(row.wrong, (box) => `false: ${classes[box[5]]}, score ${box[4].toFixed(3)}`);
      add(row.found, (box) => `found: ${classes[box[5]]}, score ${box[4].toFixed(3)}`);
      at("list").replaceChildren(rows);
      dialog.showModal();
    };
    at("close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    const refresh = () => {
      at("score-value").textContent = Number(at("score").value).toFixed(2);
      const rows = chosen();
      list.replaceChildren(...rows.slice(0, limit).map(card));
      const total = (name) => rows.reduce((sum, row) => sum + row[name].length, 0);
      at("count").textContent = `${rows.length} of ${images.length} images: ${total("found")} found, ${total("missed")} missed, ${total("wrong")} false`;
      at("more").hidden = rows.length <= limit;
    };
    at("filters").addEventListener("input", () => { limit = step; refresh(); });
    at("filters").addEventListener("submit", (event) => event.preventDefault());
    at("more").addEventListener("click", () => { limit += step; refresh(); });
    refresh();
  }
})();
