import { formatBytes } from "../../util/formatBytes.ts";
import type { CatalogueContainer, CatalogueFacts, CatalogueImage } from "../facts.ts";
import { html, type MarkupContent } from "../markup.ts";
import { containerPath, linkFrom } from "../paths.ts";
import { badge, count, dayOf, layout } from "./layout.ts";

const path = "index.html";
/** Longer texts are cut on the front page, which has all containers on it. */
const longestText = 110;

/** The front page: all containers, and the search. */
export function frontPage(facts: CatalogueFacts): string {
  const { containers } = facts;
  const inside = new Set(containers.flatMap(({ images }) => images.flatMap(({ packages }) => packages)));
  const names = new Set([...inside].map((hash) => facts.graph.get(hash)?.name));
  const example = exampleOf(facts);
  return layout(
    {
      path,
      title: facts.title,
      description: `${count(containers.length, "container")} with ${count(names.size, "Spack package")}`,
      section: "containers",
      scripts: ["front.js"],
      body: html`<section class="hero">
<h1>${facts.title}</h1>
<p class="lead">${count(containers.length, "container")} built with ${count(names.size, "Spack package")}, ready for Apptainer, Podman, Docker, Sarus and Slurm.</p>
<form id="search" role="search" hidden>
<label for="words">Find containers by name, or by what is in them</label>
<div class="field"><input id="words" name="q" type="search" placeholder="${example}" autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="help"></div>
<p id="help" class="note">Spack’s own specs: a version <code>hdf5@1.14:</code>, a variant <code>+mpi</code>, a dependency <code>^mpich</code>, a compiler <code>%gcc@12</code>, several at once. Press <kbd>/</kbd> to search.</p>
</form>
<p id="status" role="status" class="note"></p>
<div id="names" class="names"></div>
</section>
${facts.missing.length > 0 && html`<details class="missing"><summary>${count(facts.missing.length, "thing")} could not be read when this was made</summary><ul>${facts.missing.map((one) => html`<li>${one}</li>`)}</ul></details>`}
<h2 class="sr">Containers</h2>
${
  containers.length === 0
    ? html`<p>There are no containers yet.</p>`
    : html`<ul class="cards" id="containers">
${containers.map(card)}</ul>`
}`,
    },
    facts,
  );
}

function card(container: CatalogueContainer): MarkupContent {
  const { name, images, specs, description } = container;
  const newest = images[0];
  const about = shortened(description ?? specs.join(", "));
  return html`<li class="card"><h3><a href="${linkFrom(path, containerPath(container))}">${name}</a></h3>${newest !== undefined && html`<b>${newest.version}</b>`}<p>${about}</p><p class="facts">${newest === undefined ? badge("plain", "not built") : factsOf(newest, images)}</p></li>
`;
}

function factsOf(newest: CatalogueImage, images: readonly CatalogueImage[]): MarkupContent {
  const architectures = [...new Set(images.map(({ arch }) => arch))].sort();
  const versions = new Set(images.map(({ version }) => version)).size;
  const day = dayOf(newest.updated);
  return [
    [
      architectures.join(" "),
      ...(newest.packages.length > 0 ? [count(newest.packages.length, "package")] : []),
      ...(newest.size === undefined ? [] : [formatBytes(newest.size)]),
      ...(versions > 1 ? [`${versions} versions`] : []),
      ...(day === undefined ? [] : [day]),
    ].join(" · "),
    " ",
    newest.origin !== "published" &&
      badge("plain", newest.origin === "built" ? "not published" : "not built"),
    newest.supply.signature === "verified" && badge("good", "signed"),
    newest.supply.signature === "refused" && badge("bad", "signature refused"),
  ];
}

function shortened(text: string): string {
  if (text.length <= longestText) return text;
  return `${text.slice(0, longestText).replace(/\s+\S*$/, "")} …`;
}

/** A search that finds something here: the first package of a container, from its version on. */
function exampleOf({ containers, graph }: CatalogueFacts): string {
  for (const { images } of containers) {
    const root = images[0]?.roots[0];
    const spec = root && graph.get(root.hash);
    if (spec !== undefined) return `${spec.name}@${spec.version.split(".").slice(0, 2).join(".")}:`;
  }
  return "hdf5@1.14: +mpi";
}
