/** How long a button says that it has copied, in milliseconds. */
const shown = 2000;

/** Makes the buttons that copy what is in their box. */
export function startCopying(): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("button.copy")) {
    const text = button.closest("figure")?.querySelector("code")?.textContent ?? "";
    button.hidden = false;
    const label = button.firstChild;
    button.addEventListener("click", () => {
      void copy(text).then((done) => {
        if (label === null) return;
        label.textContent = done ? "Copied" : "Press Ctrl+C";
        button.classList.toggle("done", done);
        if (!done) select(button.closest("figure")?.querySelector("code"));
        setTimeout(() => {
          label.textContent = "Copy";
          button.classList.remove("done");
        }, shown);
      });
    });
  }
}

/** Pages that are read from a disk or without TLS may have no clipboard: there the old way is left. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "sr";
    document.body.append(area);
    area.select();
    try {
      return document.execCommand("copy");
    } catch {
      return false;
    } finally {
      area.remove();
    }
  }
}

function select(node: Node | null | undefined): void {
  if (node) getSelection()?.selectAllChildren(node);
}
