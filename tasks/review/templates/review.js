"use strict";
(() => {
  const by = (id) => document.getElementById(id);
  const table = by("cases"), body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const search = by("search"), show = by("show"), reason = by("reason");
  const rows = Array.from(body.rows, (element, place) => ({
    element, place, has: element.dataset.has.split(" "), reason: element.dataset.reason,
    text: (element.dataset.text + " " + element.textContent).toLowerCase(),
    values: Array.from(element.cells, (cell, n) => {
      if (heads[n].dataset.sort === "text") return cell.textContent.trim() || null;
      return cell.dataset.v === undefined ? null : Number(cell.dataset.v);
    }),
  }));
  const state = { words: "", show: "", reason: "", column: -1, down: false };

  const compare = (a, b) => {
    if (state.column < 0) return a.place - b.place;
    const one = a.values[state.column], other = b.values[state.column];
    if (one === null || other === null) return (one === null) - (other === null) || a.place - b.place;
    const order = typeof one === "number" ? one - other : one < other ? -1 : Number(one > other);
    return (state.down ? -order : order) || a.place - b.place;
  };
  const passes = (row, words) => (!state.show || row.has.includes(state.show)) && (!state.reason || row.reason === state.reason)
    && words.every((word) => row.text.includes(word));
  const update = () => {
    const words = state.words.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = rows.filter((row) => passes(row, words)).sort(compare);
    const focused = document.activeElement;
    body.replaceChildren(...wanted.map((row) => row.element));
    if (body.contains(focused)) focused.focus({ preventScroll: true });
    heads.forEach((head, n) => {
      if (n === state.column) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    by("nothing").hidden = wanted.length > 0;
    const number = (n) => n.toLocaleString("en");
    by("shown").textContent = wanted.length === rows.length ? `${number(rows.length)} shown` : `${number(wanted.length)} of ${number(rows.length)} shown`;
    search.value = state.words;
    show.value = state.show;
    if (reason) reason.value = state.reason;
  };

  // The address holds what is chosen, so that it can be kept and sent.
  const read = () => {
    const said = new URLSearchParams(location.hash.replace(/^#/, ""));
    const among = (list, value) => (list && [...list.options].some((option) => option.value === value) ? value : "");
    state.words = said.get("q") || "";
    state.show = among(show, said.get("show") || "");
    state.reason = among(reason, said.get("reason") || "");
    const column = /^\d+$/.test(said.get("sort") || "") ? Number(said.get("sort")) : -1;
    state.column = column < heads.length ? column : -1;
    state.down = said.get("down") === "1";
  };
  const change = (what) => {
    Object.assign(state, what);
    const said = new URLSearchParams();
    if (state.words) said.set("q", state.words);
    if (state.show) said.set("show", state.show);
    if (state.reason) said.set("reason", state.reason);
    if (state.column >= 0) said.set("sort", String(state.column));
    if (state.down) said.set("down", "1");
    const text = said.toString();
    history.replaceState(null, "", text ? "#" + text : location.pathname + location.search);
    update();
  };

  heads.forEach((head, n) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.querySelector(".name").childNodes);
    head.querySelector(".name").replaceWith(button);
    // Numbers begin with the largest: the most suspicious is what one looks for.
    const first = head.dataset.sort === "number";
    button.addEventListener("click", () => {
      if (state.column !== n) change({ column: n, down: first });
      else if (state.down === first) change({ down: !first });
      else change({ column: -1, down: false });
    });
  });
  search.addEventListener("input", () => change({ words: search.value }));
  show.addEventListener("change", () => change({ show: show.value }));
  if (reason) reason.addEventListener("change", () => change({ reason: reason.value }));
  by("clear").addEventListener("click", () => change({ words: "", show: "", reason: "", column: -1, down: false }));
  window.addEventListener("hashchange", () => {
    if (location.hash === "#cases") return; // a place on the page
    read();
    update();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      event.preventDefault();
      search.focus();
    }
  });
  by("bar").hidden = false;
  if (location.hash !== "#cases") read();
  update();
})();
