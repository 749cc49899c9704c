/** A row of the table of packages: what the drawings are made of, so that nothing is on the page twice. */
export interface InsideRow {
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly href: string;
  readonly kind: "root" | "package" | "external";
  /** From 1; undefined: it is in none. */
  readonly layer: number | undefined;
  readonly bytes: number | undefined;
  readonly row: HTMLTableRowElement;
}

/** Reads the table. */
export function insideRows(): readonly InsideRow[] {
  return [...document.querySelectorAll<HTMLTableRowElement>("#inside tbody tr")].map((row): InsideRow => {
    const [name, version, , layer, bytes] = row.cells;
    const link = name?.querySelector("a");
    const kind = row.dataset.kind;
    const number = Number(layer?.textContent);
    return {
      name: link?.textContent ?? "",
      version: version?.textContent ?? "",
      hash: link?.hash.slice(1) ?? "",
      href: link?.href ?? "",
      kind: kind === "root" || kind === "external" ? kind : "package",
      layer: Number.isInteger(number) && number > 0 ? number : undefined,
      bytes: bytes?.dataset.bytes === undefined ? undefined : Number(bytes.dataset.bytes),
      row,
    };
  });
}
