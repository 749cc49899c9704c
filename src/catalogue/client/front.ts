/** The front page: the search. Its code and its data are loaded when it is first used. */
import type { CatalogueSearch, FoundContainer, SearchAnswer } from "../search/openSearch.ts";
import type { SearchData } from "../search/searchData.ts";
import { byId, element } from "./elements.ts";

/** What the files that are loaded leave behind. */
interface Loaded {
  spacktainersSearchData?: SearchData;
  spacktainersOpenSearch?: (data: SearchData) => CatalogueSearch;
}

/** Packages that are named for each container. */
const mostPackages = 4;

/** Milliseconds after the last key. */
const pause = 60;

const form = byId("search", HTMLFormElement);
const words = byId("words", HTMLInputElement);
const list = byId("containers", HTMLElement);
const status = byId("status", HTMLElement);
const names = byId("names", HTMLElement);

if (form && words && status && names) start(form, words, status, names);

function start(
  form: HTMLFormElement,
  words: HTMLInputElement,
  status: HTMLElement,
  names: HTMLElement,
): void {
  const cards = [...(list?.children ?? [])].filter((card) => card instanceof HTMLElement);
  let opening: Promise<CatalogueSearch> | undefined;
  let timer: number | undefined;
  let asked = 0;

  const open = (): Promise<CatalogueSearch> => {
    opening ??= Promise.all([load("assets/search.js"), load("data/search.js")]).then(() => {
      const { spacktainersOpenSearch: make, spacktainersSearchData: data } = globalThis as Loaded;
      if (make === undefined || data === undefined) throw new Error("the search could not be loaded");
      const made = make(data);
      prepare(made, 0);
      return made;
    });
    return opening;
  };

  async function search(): Promise<void> {
    const text = words.value.trim();
    const mine = ++asked;
    remember(text);
    if (text === "") {
      show(cards, undefined, "");
      status.textContent = "";
      names.replaceChildren();
      return;
    }
    try {
      const asks = await open();
      if (mine !== asked) return;
      const before = performance.now();
      const answer = asks.find(text);
      const took = performance.now() - before;
      show(cards, answer, text);
      // For tests and measurements.
      form.dataset.took = took.toFixed(1);
      status.textContent = said(answer, text);
      names.replaceChildren(...suggestions(answer, text));
    } catch (error) {
      opening = undefined;
      status.textContent = `The search does not work: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void search();
  });
  words.addEventListener("focus", () => void open().catch(() => {}), { once: true });
  words.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => void search(), pause);
  });
  names.addEventListener("click", (event) => {
    const chosen = event.target instanceof HTMLButtonElement ? event.target.dataset.name : undefined;
    if (chosen === undefined) return;
    words.value = chosen;
    words.focus();
    void search();
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target instanceof HTMLInputElement;
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      words.focus();
    }
    if (event.key === "Escape" && event.target === words && words.value !== "") {
      words.value = "";
      void search();
    }
  });
  const given = new URLSearchParams(location.search).get("q");
  if (given !== null && given !== "") {
    words.value = given;
    void search();
  }
}

/** Packages that are made ready at a time, so that typing is never held up. */
const slice = 150;

function prepare(search: CatalogueSearch, from: number): void {
  if (search.prepare(from, slice)) setTimeout(() => prepare(search, from + slice));
}

/** Loads a script of the site: pages that are read from a disk may not fetch anything else. */
function load(path: string): Promise<void> {
  return new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = path;
    script.addEventListener("load", () => done());
    script.addEventListener("error", () => fail(new Error(`${path} could not be loaded`)));
    document.head.append(script);
  });
}

/** The address has what is searched, so that it can be sent to somebody. */
function remember(text: string): void {
  try {
    history.replaceState(null, "", text === "" ? location.pathname : `?q=${encodeURIComponent(text)}`);
  } catch {
    // Some browsers do not allow it to files.
  }
}

function said({ containers, problem }: SearchAnswer, text: string): string {
  const found = `${containers.length} ${containers.length === 1 ? "container" : "containers"}`;
  if (problem !== undefined) return `This is no spec: ${problem}. ${found} by name.`;
  const versions = containers.reduce((sum, { images }) => sum + images.length, 0);
  return versions === 0
    ? `${found} by name; none has packages for ${text}.`
    : `${found}; ${versions} ${versions === 1 ? "image has" : "images have"} it.`;
}

/** Names of packages, where the words may be the beginning of one. */
function suggestions({ names }: SearchAnswer, text: string): readonly Node[] {
  const others = names.filter((name) => name !== text);
  if (others.length === 0) return [];
  return [
    element("span", { class: "note" }, "Packages: "),
    ...others.map((name) => element("button", { type: "button", class: "chip", "data-name": name }, name)),
  ];
}

/** Shows the cards that were found, with what was found in each. */
function show(cards: readonly HTMLElement[], answer: SearchAnswer | undefined, text: string): void {
  const found = new Map(answer?.containers.map((one) => [one.container, one]));
  for (const [at, card] of cards.entries()) {
    card.querySelector(".hits")?.remove();
    const one = found.get(at);
    card.hidden = answer !== undefined && one === undefined;
    const hits = one && hitsOf(one, text);
    if (hits !== undefined) card.append(hits);
  }
}

function hitsOf({ images, container }: FoundContainer, text: string): HTMLElement | undefined {
  const data = (globalThis as Loaded).spacktainersSearchData?.containers[container];
  if (images.length === 0 || data === undefined) return undefined;
  const lines = images.slice(0, 3).flatMap(({ image, packages, count }) => {
    const facts = data.images[image];
    if (facts === undefined) return [];
    const named = packages.slice(0, mostPackages).map(({ name, version }) => `${name}@${version}`);
    const more = count - named.length;
    const link = element("a", { href: facts.path }, facts.label);
    return element("li", {}, link, ` ${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`);
  });
  if (images.length > lines.length)
    lines.push(element("li", {}, `and ${images.length - lines.length} more images`));
  return element("ul", { class: "hits", "aria-label": `What satisfies ${text}` }, ...lines);
}
