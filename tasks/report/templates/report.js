// Tables that a reader can sort by a column: ascending, descending, and as they stood. Without this script they stay as they stand.
"use strict";
const said = document.getElementById("said");
const words = new Intl.Collator(document.documentElement.lang, { numeric: true, sensitivity: "base" });

function sortable(table) {
  const rows = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells];

  function sorted(column, direction) {
    const numeric = rows.some((row) => row.cells[column].dataset.value !== undefined);
    const key = (row) => (numeric ? row.cells[column].dataset.value : row.cells[column].textContent);
    // What has no number stays behind, whichever way the others go; equals keep their order.
    const known = rows.filter((row) => key(row) !== undefined);
    const others = rows.filter((row) => key(row) === undefined);
    known.sort((a, b) => direction * (numeric ? Number(key(a)) - Number(key(b)) : words.compare(key(a), key(b))));
    return [...known, ...others];
  }

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: null }[head.getAttribute("aria-sort")];
      const order = next === undefined ? "ascending" : next;
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      if (order) head.setAttribute("aria-sort", order);
      table.tBodies[0].append(...(order ? sorted(column, order === "ascending" ? 1 : -1) : rows));
      said.textContent = order ? `Sorted by ${button.textContent}, ${order}` : "In the report's order";
    });
  });
}

document.querySelectorAll("table.sortable").forEach(sortable);
