"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const at = (hash) => document.getElementById(hash.slice(1));

// Colours: as the system has them, or as the reader wants them.

const THEMES = ["auto", "light", "dark"];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const button = at("#_theme");
  if (button) button.textContent = `Colours: ${theme}`;
}

function remembered() {
  try {
    return localStorage.getItem("egonorm-colours");
  } catch {
    return null; // storage is not allowed: the page is as the system wants it
  }
}

function remember(theme) {
  try {
    localStorage.setItem("egonorm-colours", theme);
  } catch {} // storage is not allowed: the choice lasts as long as the page
}

function nextTheme() {
  const theme = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
  setTheme(theme);
  remember(theme);
}

// Tabs: links to panels that without this script stand one below the other.

function selectTab(chosen) {
  for (const tab of all(".tab-list a")) {
    tab.setAttribute("aria-selected", tab === chosen);
    tab.tabIndex = tab === chosen ? 0 : -1;
    at(tab.hash).hidden = tab !== chosen;
  }
  pauseHidden();
}

function makeTabs(list) {
  const tabs = all("a", list);
  list.setAttribute("role", "tablist");
  for (const tab of tabs) {
    const panel = at(tab.hash);
    tab.id = `${panel.id}_tab`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", (event) => openTab(event, tab));
    tab.addEventListener("keydown", (event) => moveTab(event, tabs));
  }
  selectTab(tabs[0]);
}

function openTab(event, tab) {
  event.preventDefault();
  history.replaceState(null, "", tab.hash);
  selectTab(tab);
}

function moveTab(event, tabs) {
  const place = tabs.indexOf(event.currentTarget);
  const before = (place + tabs.length - 1) % tabs.length;
  const places = { ArrowRight: (place + 1) % tabs.length, ArrowLeft: before, Home: 0, End: tabs.length - 1, " ": place };
  const tab = tabs[places[event.key]];
  if (!tab) return;
  openTab(event, tab);
  tab.focus();
}

// Choices: one of several bodies.

function choose(box, place) {
  box.querySelector(":scope > .chooser select").value = place;
  all(":scope > .option", box).forEach((option, k) => (option.hidden = k !== place));
  pauseHidden();
}

// The same shift in all parts of a tab that have it.
function chooseEverywhere(box, name) {
  all(".choice", box.closest(".panel") ?? document).forEach((other) => {
    const place = [...other.querySelector(":scope > .chooser select").options].findIndex((option) => option.text === name);
    if (place >= 0) choose(other, place);
  });
}

function makeChoice(box) {
  box.classList.add("ready");
  box.querySelector(":scope > .chooser").hidden = false;
  const select = box.querySelector(":scope > .chooser select");
  select.addEventListener("change", () => chooseEverywhere(box, select.selectedOptions[0].text));
  choose(box, Number(select.value));
}

// Places: whatever a link names is shown before it is scrolled to.

function reveal() {
  const place = at(location.hash);
  if (!place) return;
  const panel = place.closest(".panel");
  if (panel) selectTab(at(`#${panel.id}_tab`));
  for (let option = place.closest(".option"); option; option = option.parentElement.closest(".option")) {
    choose(option.parentElement, all(":scope > .option", option.parentElement).indexOf(option));
  }
  place.scrollIntoView();
}

function pauseHidden() {
  all("[hidden] video").forEach((video) => video.pause());
}

// Tables: sorted by a column, and only the rows that hold some words.

function keyOf(row, column, isNumeric) {
  const cell = row.cells[column];
  if (isNumeric) return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
  return cell.firstElementChild.textContent.trim() || null;
}

const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));

function sortBy(table, head) {
  const column = head.cellIndex;
  const body = table.tBodies[0];
  const isNumeric = [...body.rows].some((row) => row.cells[column].dataset.value !== undefined);
  const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  const keyed = [...body.rows].map((row) => [keyOf(row, column, isNumeric), row]);
  const isEmptyFirst = (a, b) => (a === null) - (b === null);
  keyed.sort(([a], [b]) => isEmptyFirst(a, b) || (a === null ? 0 : sign * compare(a, b)));
  body.append(...keyed.map(([, row]) => row));
  all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
}

function makeSortable(table) {
  for (const head of all("thead th", table)) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sortBy(table, head));
    head.append(button);
  }
}

function makeFilter(line) {
  const [input, told] = [line.querySelector("input"), line.querySelector("output")];
  const rows = [...at(`#${input.getAttribute("aria-controls")}`).tBodies[0].rows];
  const filter = () => {
    const words = input.value.toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(words);
    told.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
  };
  line.hidden = false;
  input.addEventListener("input", filter);
  filter();
}

// A figure in the page is also the file that its link saves.

function saveDrawing(event) {
  const svg = event.currentTarget.closest("figure").querySelector("svg");
  event.currentTarget.href = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg.outerHTML)}`;
}

setTheme(THEMES.includes(remembered()) ? remembered() : "auto");
document.addEventListener("DOMContentLoaded", () => {
  setTheme(document.documentElement.dataset.theme);
  at("#_theme").hidden = false;
  at("#_theme").addEventListener("click", nextTheme);
  all(".tab-list").forEach(makeTabs);
  all(".choice").forEach(makeChoice);
  all("table.grid").forEach(makeSortable);
  all(".filter").forEach(makeFilter);
  all("a.svg").forEach((link) => link.addEventListener("click", saveDrawing));
  addEventListener("hashchange", reveal);
  reveal();
});
