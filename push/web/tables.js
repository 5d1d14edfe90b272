// Elements made of data. Names come from outside: all of them go through
// textContent, none is ever parsed as markup.
export const $ = (id) => document.getElementById(id);

export function element(tag, text, className) {
  const e = document.createElement(tag);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
}

// Rows are kept and changed in place, so that what is selected or read out stays.
export function rows(body, list, empty) {
  const columns = list.length ? list[0].length : body.parentElement.tHead.rows[0].cells.length;
  const shown = list.length ? list : [[empty]];
  while (body.rows.length > shown.length) body.deleteRow(-1);
  shown.forEach((values, i) => {
    const row = body.rows[i] || body.insertRow();
    while (row.cells.length > values.length) row.deleteCell(-1);
    values.forEach((value, j) => {
      let cell = row.cells[j];
      const tag = j === 0 && list.length ? "TH" : "TD";
      if (cell && cell.tagName !== tag) { cell.remove(); cell = null; }
      if (!cell) {
        cell = element(tag);
        if (tag === "TH") cell.scope = "row";
        row.insertBefore(cell, row.cells[j] || null);
      }
      cell.colSpan = list.length ? 1 : columns;
      cell.className = list.length ? (typeof value === "number" ? "number" : "") : "hint";
      const text = typeof value === "number" ? whole(value) : value;
      if (cell.textContent !== text) cell.textContent = text;
    });
  });
}

export const whole = (n) => Math.round(n).toLocaleString();
export const rate = (n) => (n < 10 ? +n.toFixed(1) : Math.round(n)).toLocaleString();
export const bytes = (n) => {
  for (const [unit, name] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (n >= unit) return +(n / unit).toPrecision(3) + " " + name;
  }
  return n + " B";
};
export const time = (s) => {
  if (s === 0) return "0";
  if (s < 1e-3) return +(s * 1e6).toPrecision(2) + " µs";
  return s < 1 ? +(s * 1e3).toPrecision(3) + " ms" : +s.toPrecision(3) + " s";
};
export const span = (s) => s < 60 ? s + " s" : s < 3600 ? Math.floor(s / 60) + " min" : s < 86400 ? Math.floor(s / 3600) + " h" : Math.floor(s / 86400) + " d";
