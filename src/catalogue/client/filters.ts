/** Makes the fields that leave the rows of a table that have a text in them. */
export function startFilters(): void {
  for (const field of document.querySelectorAll<HTMLInputElement>("input[data-filter]")) {
    const rows = [...document.querySelectorAll<HTMLElement>(`#${field.dataset.filter} tbody tr`)];
    const holder = field.closest("p");
    if (holder !== null) holder.hidden = rows.length < 8;
    field.addEventListener("input", () => {
      const text = field.value.trim().toLowerCase();
      for (const row of rows) row.hidden = !(row.textContent ?? "").toLowerCase().includes(text);
    });
  }
}
