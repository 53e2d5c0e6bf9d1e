"use strict";
(() => {
  const FACETS = [
    ["status", "Status"], ["reason", "Reason"], ["flags", "Flags"], ["modality", "Modality"], ["manufacturer", "Manufacturer"],
    ["thickness", "Slice thickness"], ["split", "Split"], ["mark", "Mark"],
  ];
  const MARKS = { ok: "ok", again: "look again", "": "no mark" };
  const SORTS = ["certificate", "spacing", "slices", "range", "low", "high"];
  const STORE = "safelight-gallery";
  const by = (id) => document.getElementById(id);
  const list = by("cards"), search = by("search"), sort = by("sort"), direction = by("direction");
  const bands = list.dataset.bands.split("|");

  // ---- marks: kept in this browser, under the content they were given to ----
  let kept = true;
  const stored = () => {
    try {
      const found = JSON.parse(localStorage.getItem(STORE) || "{}");
      return found && typeof found === "object" ? found : {};
    } catch {
      kept = false;
      return {};
    }
  };
  let marks = stored();
  const keep = (change) => {
    marks = kept ? stored() : marks; // another page may have added some
    change(marks);
    try {
      localStorage.setItem(STORE, JSON.stringify(marks));
    } catch {
      kept = false;
    }
  };

  const button = (as) => {
    const made = document.createElement("button");
    made.type = "button";
    made.dataset.as = as;
    made.textContent = as;
    made.title = `mark as ${MARKS[as]} (${as === "ok" ? "o" : "l"})`;
    made.tabIndex = -1;
    return made;
  };
  const cards = Array.from(list.children, (element, place) => {
    const data = element.dataset;
    const box = document.createElement("span");
    box.className = "marks";
    box.append(button("ok"), button("again"));
    const text = element.textContent.toLowerCase();
    element.append(box);
    element.tabIndex = -1;
    element.querySelectorAll("a").forEach((link) => { link.tabIndex = -1; });
    return {
      element, place, text, buttons: Array.from(box.children), shown: true,
      sort: Object.fromEntries(SORTS.map((name) => {
        const value = element.getAttribute("data-sort-" + name);
        return [name, value === null ? null : Number(value)];
      })),
      has: {
        status: [data.status], reason: data.reason ? [data.reason] : [], flags: data.flags ? data.flags.split("|") : [],
        modality: [data.modality], manufacturer: [data.manufacturer], thickness: [data.thickness],
        split: data.split ? [data.split] : [], mark: [""],
      },
    };
  });
  const of = new Map(cards.map((card) => [card.element, card]));

  const paint = (card) => {
    const mark = marks[card.element.dataset.mark];
    card.has.mark = [mark === "ok" || mark === "again" ? mark : ""];
    card.buttons.forEach((each) => each.setAttribute("aria-pressed", String(each.dataset.as === card.has.mark[0])));
    card.element.classList.toggle("is-ok", mark === "ok");
    card.element.classList.toggle("is-again", mark === "again");
  };
  const setMark = (card, as) => {
    keep((all) => {
      if (as) all[card.element.dataset.mark] = as;
      else delete all[card.element.dataset.mark];
    });
    paint(card);
    update();
  };

  // ---- the state: what is chosen, in the address ----
  const state = { words: "", sort: "", down: false, chosen: Object.fromEntries(FACETS.map(([name]) => [name, new Set()])) };
  const read = () => {
    const said = new URLSearchParams(location.hash.replace(/^#/, ""));
    state.words = said.get("q") || "";
    state.sort = SORTS.includes(said.get("sort")) ? said.get("sort") : "";
    state.down = said.get("down") === "1";
    for (const [name] of FACETS) state.chosen[name] = new Set(said.getAll(name));
    if (search.value !== state.words) search.value = state.words;
    sort.value = state.sort;
  };
  const write = () => {
    const said = new URLSearchParams();
    if (state.words) said.set("q", state.words);
    if (state.sort) said.set("sort", state.sort);
    if (state.down) said.set("down", "1");
    for (const [name] of FACETS) for (const value of state.chosen[name]) said.append(name, value);
    const text = said.toString();
    history.replaceState(null, "", text ? "#" + text : location.pathname + location.search);
  };

  // ---- facets: one box a value, with how many cards it would leave ----
  const values = (name) => {
    if (name === "mark") return ["ok", "again", ""];
    const counted = new Map();
    for (const card of cards) for (const value of card.has[name]) counted.set(value, (counted.get(value) || 0) + 1);
    const found = [...counted.keys()];
    if (name === "thickness") return found.sort((a, b) => bands.indexOf(a) - bands.indexOf(b));
    return found.sort((a, b) => counted.get(b) - counted.get(a) || (a < b ? -1 : 1));
  };
  const boxes = [];
  for (const [name, title] of FACETS) {
    const found = values(name);
    if (found.length < 2 && !["reason", "flags"].includes(name)) continue;
    if (!found.length) continue;
    const field = document.createElement("fieldset"), legend = document.createElement("legend");
    legend.textContent = title;
    field.append(legend);
    for (const value of found) {
      const label = document.createElement("label"), box = document.createElement("input");
      const text = document.createElement("span"), count = document.createElement("b");
      box.type = "checkbox";
      text.textContent = name === "mark" ? MARKS[value] : value;
      label.append(box, text, count);
      field.append(label);
      box.addEventListener("change", () => {
        if (box.checked) state.chosen[name].add(value);
        else state.chosen[name].delete(value);
        write();
        update();
      });
      boxes.push({ name, value, box, count, label });
    }
    by("facets").append(field);
  }

  const number = (n) => n.toLocaleString("en");
  const update = () => {
    const words = state.words.toLowerCase().split(/\s+/).filter(Boolean);
    const counts = new Map(boxes.map((each) => [each.name + "\n" + each.value, 0]));
    let shown = 0;
    for (const card of cards) {
      const failed = [];
      for (const [name] of FACETS) {
        const chosen = state.chosen[name];
        if (chosen.size && !card.has[name].some((value) => chosen.has(value))) failed.push(name);
      }
      const said = words.every((word) => card.text.includes(word));
      const passes = said && !failed.length;
      if (passes) shown += 1;
      card.shown = passes;
      if (!said || failed.length > 1) continue;
      for (const [name] of FACETS) {
        if (failed.length && failed[0] !== name) continue;
        for (const value of card.has[name]) counts.set(name + "\n" + value, (counts.get(name + "\n" + value) || 0) + 1);
      }
    }
    for (const each of boxes) {
      const n = counts.get(each.name + "\n" + each.value);
      each.count.textContent = number(n);
      each.label.classList.toggle("none", !n);
      each.box.checked = state.chosen[each.name].has(each.value);
    }
    lay();
    direction.textContent = state.down ? "largest first" : "smallest first";
    direction.setAttribute("aria-pressed", String(state.down));
    direction.hidden = !state.sort;
    by("nothing").hidden = shown > 0;
    by("shown").textContent = shown === cards.length ? `${number(shown)} shown` : `${number(shown)} of ${number(cards.length)} shown`;
    const n = { ok: 0, again: 0, "": 0 };
    for (const card of cards) n[card.has.mark[0]] += 1;
    by("marked").textContent = (n.ok + n.again ? `${number(n.ok)} ok, ${number(n.again)} to look at again` : "")
      + (kept ? "" : " This browser does not keep marks: export them before you leave.");
    by("export").disabled = !(n.ok + n.again);
    if (!current || !current.shown) choose(cards.find((card) => card.shown));
  };

  // Cards that do not pass leave the list: hiding hundreds that the browser has not yet drawn costs it seconds.
  let laid = cards.map((card) => card.element);
  const lay = () => {
    const sign = state.down ? -1 : 1;
    cards.sort((a, b) => {
      if (!state.sort) return a.place - b.place;
      const one = a.sort[state.sort], other = b.sort[state.sort];
      if (one === null || other === null) return (one === null) - (other === null) || a.place - b.place;
      return sign * (one - other) || a.place - b.place;
    });
    const wanted = cards.filter((card) => card.shown).map((card) => card.element);
    if (wanted.length === laid.length && wanted.every((element, place) => element === laid[place])) return;
    const focused = document.activeElement;
    list.replaceChildren(...wanted);
    if (list.contains(focused)) focused.focus({ preventScroll: true });
    laid = wanted;
  };

  // ---- the keyboard: one card can be reached by Tab, arrows go from it to others ----
  let current = null;
  const reachable = (card, index) => {
    card.element.tabIndex = index;
    card.element.querySelectorAll("a, button").forEach((each) => { each.tabIndex = index; });
  };
  const choose = (card) => {
    if (current) reachable(current, -1);
    current = card || null;
    if (current) reachable(current, 0);
  };
  const step = (by) => {
    const seen = cards.filter((card) => card.shown);
    const place = Math.min(Math.max(seen.indexOf(current) + by, 0), seen.length - 1);
    choose(seen[place]);
    if (current) current.element.focus();
  };
  const columns = () => getComputedStyle(list).gridTemplateColumns.split(" ").length;
  const KEYS = {
    ArrowRight: () => step(1), ArrowLeft: () => step(-1), ArrowDown: () => step(columns()), ArrowUp: () => step(-columns()),
    Home: () => step(-Infinity), End: () => step(Infinity),
    o: () => setMark(current, "ok"), l: () => setMark(current, "again"), u: () => setMark(current, ""),
    Enter: () => current.element.classList.toggle("large"),
  };
  list.addEventListener("keydown", (event) => {
    const known = KEYS[event.key];
    if (!known || event.ctrlKey || event.altKey || event.metaKey || !current) return;
    if (event.key === "Enter" && event.target !== current.element) return; // a link or a button in the card
    event.preventDefault();
    known();
  });
  list.addEventListener("focusin", (event) => {
    const card = of.get(event.target.closest("li"));
    if (card && card !== current) choose(card);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      event.preventDefault();
      search.focus();
    }
  });
  list.addEventListener("click", (event) => {
    const card = of.get(event.target.closest("li"));
    if (!card) return;
    choose(card);
    const pressed = event.target.closest("button");
    if (pressed) setMark(card, card.has.mark[0] === pressed.dataset.as ? "" : pressed.dataset.as);
    else if (event.target.closest(".sight, .why")) card.element.classList.toggle("large");
    else if (event.target.tagName === "CODE" && navigator.clipboard) {
      const tell = (text) => () => { by("shown").textContent = text; setTimeout(update, 2000); };
      navigator.clipboard.writeText(event.target.textContent).then(tell("Copied"), tell("Selected: copy it with the keyboard"));
    }
  });

  // ---- controls ----
  search.addEventListener("input", () => { state.words = search.value.trim(); write(); update(); });
  sort.addEventListener("change", () => { state.sort = sort.value; write(); update(); });
  direction.addEventListener("click", () => { state.down = !state.down; write(); update(); });
  by("clear").addEventListener("click", () => {
    state.words = search.value = "";
    for (const [name] of FACETS) state.chosen[name].clear();
    write();
    update();
  });
  by("export").addEventListener("click", () => {
    const lines = ["StudyInstanceUID,SeriesInstanceUID,volume_index,sha256_or_reason,mark"];
    for (const card of [...cards].sort((a, b) => a.place - b.place)) {
      const data = card.element.dataset, mark = card.has.mark[0];
      if (mark) lines.push([data.study, data.series, data.index, data.mark.split(":")[1], MARKS[mark]].join(","));
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    link.download = "marks.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
  window.addEventListener("hashchange", () => {
    if (/^#(cards|c\d+)$/.test(location.hash)) return; // a place on the page
    read();
    update();
  });
  window.addEventListener("storage", (event) => {
    if (event.key !== STORE) return;
    marks = stored();
    cards.forEach(paint);
    update();
  });

  document.documentElement.classList.add("js");
  if (matchMedia("(max-width: 46rem)").matches) by("filters").open = false;
  by("panel").hidden = by("bar").hidden = false;
  if (!/^#(cards|c\d+)$/.test(location.hash)) read();
  cards.forEach(paint);
  update();
})();
