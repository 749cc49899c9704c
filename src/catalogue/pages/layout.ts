/** What all pages have in common. */
import type { CatalogueFacts } from "../facts.ts";
import { html, type Markup, type MarkupContent } from "../markup.ts";
import { linkFrom } from "../paths.ts";

/**
 * What a page may do, whatever is in it: show, and run the site's own files. `file:` is for sites that are read from a disk, where
 * `'self'` is nothing.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self' file:",
  "style-src 'self' file:",
  "img-src 'self' file: data:",
  "base-uri 'none'",
  "form-action 'self' file:",
].join("; ");

/** One page. */
export interface CataloguePage {
  /** In the site. */
  readonly path: string;
  readonly title: string;
  readonly description: string;
  /** Which part of the site it is. */
  readonly section: "containers" | "packages";
  readonly scripts: readonly string[];
  readonly body: MarkupContent;
}

/** The whole text of a page. */
export function layout(
  page: CataloguePage,
  facts: Pick<CatalogueFacts, "title" | "baseUrl" | "source">,
): string {
  const link = (target: string): string => linkFrom(page.path, target);
  const here = (section: CataloguePage["section"]): MarkupContent =>
    page.section === section && html` aria-current="true"`;
  const title = page.title === facts.title ? facts.title : `${page.title} · ${facts.title}`;
  const canonical = facts.baseUrl === undefined ? undefined : `${facts.baseUrl}/${page.path}`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="${page.description}">
<title>${title}</title>
<link rel="icon" href="${link("assets/icon.svg")}" type="image/svg+xml">
<link rel="stylesheet" href="${link("assets/style.css")}">
<link rel="alternate" type="application/atom+xml" title="${facts.title}" href="${link("feed.xml")}">
${canonical !== undefined && html`<link rel="canonical" href="${canonical}">\n`}${page.scripts.map((name) => html`<script defer src="${link(`assets/${name}`)}"></script>\n`)}</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top"><div class="wide">
<a class="home" href="${link("index.html")}"><span class="mark" aria-hidden="true"></span>${facts.title}</a>
<nav class="pages" aria-label="Site"><a href="${link("index.html")}"${here("containers")}>Containers</a><a href="${link("packages/index.html")}"${here("packages")}>Packages</a><a href="${link("feed.xml")}">Feed</a></nav>
</div></header>
<main id="main" class="wide">
${page.body}
</main>
<footer><div class="wide"><p>Made with Spacktainers from published images and locks. For programs: <a href="${link("catalogue.json")}">catalogue.json</a>, <a href="${link("feed.xml")}">feed</a>.${facts.source !== undefined && html` <a href="${facts.source}" rel="noopener noreferrer">Definitions</a>.`}</p></div></footer>
</body>
</html>
`.text;
}

/** A command or file to copy. The button is shown where scripts run. */
export function copyBox(name: string, text: string, note?: MarkupContent): Markup {
  return html`<figure class="copybox"><figcaption><span>${name}</span><button type="button" class="copy" hidden>Copy<span class="sr"> ${name}</span></button></figcaption><pre tabindex="0" aria-label="${name}"><code>${text}</code></pre>${note !== undefined && html`<p class="note">${note}</p>`}</figure>`;
}

/** A short word with a meaning. */
export function badge(kind: "good" | "warn" | "bad" | "plain", text: string): Markup {
  return html`<span class="badge ${kind}">${text}</span>`;
}

/** `1 package`, `2 packages`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** The day of a time. */
export function dayOf(time: string | undefined): string | undefined {
  return time === undefined ? undefined : /^\d{4}-\d{2}-\d{2}/.exec(time)?.[0];
}
