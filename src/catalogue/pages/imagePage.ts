import { formatBytes } from "../../util/formatBytes.ts";
import type { CatalogueContainer, CatalogueFacts, CatalogueImage } from "../facts.ts";
import { html, type MarkupContent } from "../markup.ts";
import { containerPath, imageLabel, imagePaths, linkFrom } from "../paths.ts";
import { buildIt, getIt } from "./getIt.ts";
import { changesText, graphSection, layersSection, packageTable } from "./imageSections.ts";
import { reproduceSection, sitesSection, supplySection } from "./imageTrust.ts";
import { badge, count, dayOf, layout } from "./layout.ts";

/** The page of one image of a container; the first image's is the container's. */
export function imagePage(container: CatalogueContainer, at: number, facts: CatalogueFacts): string {
  const { name, images, description, specs } = container;
  const path = imagePaths(container)[at] ?? containerPath(container);
  const image = images[at];
  const frame = { path, section: "containers" as const, scripts: ["container.js"] };
  if (image === undefined)
    return layout(
      {
        ...frame,
        title: name,
        description: description ?? specs.join(", "),
        body: html`${crumbs(path)}<h1>${name}</h1><p class="lead">${description ?? ""}</p><p>Nothing is published, built or locked of it yet.</p><h2>Asked for</h2><ul>${specs.map((one) => html`<li><code>${one}</code></li>`)}</ul>${buildIt(name)}`,
      },
      facts,
    );
  const sections = sectionsOf(container, image, path, facts);
  return layout(
    {
      ...frame,
      title: at === 0 ? name : `${name} ${imageLabel(image)}`,
      description: `${name} ${imageLabel(image)}: ${count(image.packages.length, "Spack package")}`,
      body: html`${crumbs(path)}<div class="title"><h1>${name}</h1> <b>${image.version}</b> <span class="note">${image.arch}</span> ${stateOf(image)}</div>
${description !== undefined && html`<p class="lead">${description}</p>`}<p class="roots">${image.roots.map(({ request }) => html`<code>${request}</code> `)}</p>
<ul class="figures">${figures(image).map(([value, what]) => html`<li><b>${value}</b> ${what}</li>`)}</ul>
${image.digest !== undefined && html`<p class="digest"><code class="hash">${image.digest}</code></p>`}
<nav class="toc" aria-label="On this page">${sections.map(({ id, title }) => html`<a href="#${id}">${title}</a>`)}</nav>
${sections.map(
  ({ id, title, body }) => html`<section class="panel" aria-labelledby="${id}"><h2 id="${id}">${title}</h2>
${body}</section>
`,
)}`,
    },
    facts,
  );
}

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: MarkupContent;
}

function sectionsOf(
  container: CatalogueContainer,
  image: CatalogueImage,
  path: string,
  { graph }: CatalogueFacts,
): readonly Section[] {
  const { name } = container;
  const hasPackages = image.packages.length > 0;
  return [
    { id: "get", title: "Get it", body: getIt(name, image) },
    { id: "sites", title: "Will it run", body: sitesSection(name, image, newestOf(container, image, path)) },
    ...(hasPackages
      ? [
          { id: "packages", title: "Packages", body: packageTable(image, graph, path) },
          { id: "dependencies", title: "Dependencies", body: graphSection(image, graph) },
        ]
      : []),
    { id: "bytes", title: "Bytes", body: layersSection(image, graph) },
    { id: "versions", title: "Versions", body: versionsSection(container, image, path) },
    { id: "trust", title: "Trust", body: supplySection(name, image) },
    { id: "reproduce", title: "Reproduce", body: reproduceSection(name, image) },
    { id: "base", title: "Base", body: baseSection(image) },
  ];
}

/** The newest image of the same architecture, unless it is this one. */
function newestOf(container: CatalogueContainer, image: CatalogueImage, path: string) {
  const at = container.images.findIndex(({ arch }) => arch === image.arch);
  const newest = container.images[at];
  if (newest === undefined || newest === image) return undefined;
  return { version: newest.version, href: linkFrom(path, imagePaths(container)[at] ?? "") };
}

function crumbs(path: string): MarkupContent {
  return html`<p class="crumbs"><a href="${linkFrom(path, "index.html")}">All containers</a></p>`;
}

function stateOf({ origin, supply }: CatalogueImage): MarkupContent {
  return [
    origin === "published"
      ? badge("good", "published")
      : badge("plain", origin === "built" ? "built, not published" : "locked, not built"),
    " ",
    supply.signature === "verified" && badge("good", "signed"),
    supply.signature === "refused" && badge("bad", "signature refused"),
  ];
}

function figures(image: CatalogueImage): readonly (readonly [string, string])[] {
  const day = dayOf(image.updated);
  return [
    [String(image.packages.length), image.packages.length === 1 ? "Spack package" : "Spack packages"],
    ...(image.size === undefined ? [] : [[formatBytes(image.size), "compressed"] as const]),
    ...(image.layers.length === 0 ? [] : [[String(image.layers.length), "layers"] as const]),
    ...(image.base.packages === undefined
      ? []
      : [[String(image.base.packages.length), "OS packages"] as const]),
    ...(day === undefined ? [] : [[day, "last change"] as const]),
  ];
}

function versionsSection(
  container: CatalogueContainer,
  current: CatalogueImage,
  path: string,
): MarkupContent {
  const paths = imagePaths(container);
  const rows = container.images.map((image, at) => {
    const isHere = image === current;
    const label = html`${image.version}`;
    return html`<tr${isHere && html` aria-current="true"`}><th scope="row">${isHere ? label : html`<a href="${linkFrom(path, paths[at] ?? "")}">${label}</a>`}</th><td>${image.arch}</td><td>${image.tags.join(", ") || "–"}</td><td class="number">${image.packages.length}</td><td class="number">${image.size === undefined ? "–" : formatBytes(image.size)}</td><td>${dayOf(image.updated) ?? "–"}</td></tr>
`;
  });
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table of versions"><table><thead><tr><th scope="col">Version</th><th scope="col">Architecture</th><th scope="col">Tags</th><th scope="col" class="number">Packages</th><th scope="col" class="number">Compressed</th><th scope="col">Last change</th></tr></thead>
<tbody>${rows}</tbody></table></div>
${current.changes === undefined ? html`<p class="note">There is no older version to compare with.</p>` : html`<h3>What changed</h3>${changesText(current.changes)}`}`;
}

function baseSection({ base, externals }: CatalogueImage): MarkupContent {
  return html`<p>${base.name}${externals.length > 0 && `, which provides ${count(externals.length, "external package")} of Spack`}.</p>
${base.packages !== undefined && base.packages.length > 0 && html`<details><summary>${count(base.packages.length, "OS package")}</summary><ul class="columns">${base.packages.map(({ name, version }) => html`<li>${name} <span class="note">${version}</span></li>`)}</ul></details>`}`;
}
