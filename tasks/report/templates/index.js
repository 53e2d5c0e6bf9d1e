"use strict";
const form = document.getElementById("filters");
const status_ = document.getElementById("shown");
const rows = Array.from(document.querySelectorAll("[data-report]"));
const parts = Array.from(document.querySelectorAll("[data-series]"));
const choices = form ? Array.from(form.querySelectorAll("select")) : [];

function passes(element) {
  return choices.every((choice) => {
    const said = element.getAttribute("data-" + choice.name);
    return choice.value === "" || said === null || said === choice.value;
  });
}

function filter() {
  let shown = 0;
  for (const row of rows) {
    row.hidden = !passes(row);
    shown += row.hidden ? 0 : 1;
  }
  for (const part of parts) {
    part.hidden = !Array.from(part.querySelectorAll("[data-point]")).some(passes);
  }
  const wanted = new URLSearchParams();
  for (const choice of choices) {
    if (choice.value !== "") wanted.set(choice.name, choice.value);
  }
  history.replaceState(null, "", "#" + wanted.toString());
  status_.textContent = shown + " of " + rows.length + (rows.length === 1 ? " report" : " reports") + " shown";
}

if (form) {
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const choice of choices) {
    const value = wanted.get(choice.name);
    if (Array.from(choice.options).some((option) => option.value === value)) choice.value = value;
    choice.addEventListener("change", filter);
  }
  document.getElementById("clear").addEventListener("click", () => {
    for (const choice of choices) choice.value = "";
    filter();
  });
  form.hidden = false;
  if (wanted.toString() !== "") filter();
}
