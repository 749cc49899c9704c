/** Sections of the page of an image on whether it runs, who vouches for it, and how to make it again. */
import { shellLine } from "../../util/shellQuote.ts";
import type { CatalogueImage, SiteVerdict, SupplyState } from "../facts.ts";
import { html, type MarkupContent } from "../markup.ts";
import { referenceOf } from "./getIt.ts";
import { badge, copyBox, count } from "./layout.ts";

/**
 * Per site: the verdict, the findings, the batch script.
 *
 * @param newest the newest image of the architecture, where this is an older one: only that is held against sites
 */
export function sitesSection(
  name: string,
  image: CatalogueImage,
  newest: { readonly version: string; readonly href: string } | undefined,
): MarkupContent {
  if (image.sites.length === 0) {
    if (newest !== undefined)
      return html`<p>Only the newest image is checked against sites: <a href="${newest.href}#sites">${newest.version}</a>.</p>`;
    if (image.origin === "locked")
      return html`<p>The image is not built yet, so it cannot be checked against a site.</p>`;
    return html`<p>The image was not checked against a site: the repository describes none, or the catalogue leaves them out. A file <code>sites/NAME.yaml</code> describes one.</p>`;
  }
  return image.sites.map((site) => siteDetails(name, site));
}

function siteDetails(name: string, site: SiteVerdict): MarkupContent {
  const { findings, script, trouble } = site;
  const bad = findings.filter(({ severity }) => severity === "error").length;
  const warned = findings.filter(({ severity }) => severity === "warning").length;
  return html`<details class="site"><summary><b>${site.site}</b> <span class="note">${site.runtime}</span> ${verdict(site, bad, warned)}</summary>
${site.description !== undefined && html`<p class="note">${site.description}</p>`}${trouble !== undefined && html`<p>${trouble}</p>`}
<ul class="findings">${findings.map(
    ({ severity, message, evidence, remedy }) =>
      html`<li class="${severity}"><span class="sr">${{ ok: "Right: ", warning: "Warning: ", error: "Error: " }[severity]}</span>${message}${evidence.length > 0 && html`<ul class="evidence">${evidence.map((one) => html`<li><code>${one}</code></li>`)}</ul>`}${remedy !== undefined && html`<p class="remedy">${remedy}</p>`}</li>`,
  )}</ul>
${script !== undefined && copyBox(`Batch script of ${name} at ${site.site}`, script)}</details>
`;
}

function verdict({ findings, trouble }: SiteVerdict, bad: number, warned: number): MarkupContent {
  if (bad > 0) return badge("bad", `will not run: ${count(bad, "error")}`);
  if (findings.length === 0) return badge("plain", trouble === undefined ? "not checked" : "not known");
  return warned > 0 ? badge("warn", `runs, ${count(warned, "warning")}`) : badge("good", "runs");
}

const signatures: Readonly<Record<SupplyState["signature"], MarkupContent>> = {
  verified: [badge("good", "verified"), " signed by a key that the repository trusts"],
  unverified: [
    badge("warn", "not verified"),
    " signed, but the repository names no key to check who signed it",
  ],
  refused: [badge("bad", "refused"), " no signature by a key that the repository trusts holds"],
  none: [badge("plain", "none"), " the image is not signed"],
  unpublished: [badge("plain", "none"), " signatures are made when an image is published"],
};

const provenances: Readonly<Record<SupplyState["provenance"], MarkupContent>> = {
  verified: [badge("good", "verified"), " a trusted key has stated how it was built"],
  unverified: [badge("warn", "not verified"), " a statement on how it was built is attached"],
  none: [badge("plain", "none"), " there is no statement on how it was built"],
};

/** Signature, bill of materials and provenance, with the commands that show them. */
export function supplySection(name: string, image: CatalogueImage): MarkupContent {
  const { signature, signers, documents, provenance, builder, problems } = image.supply;
  const reference = referenceOf(image);
  const word = reference === undefined ? name : `docker://${reference}`;
  return html`<dl class="pairs"><dt>Signature</dt><dd>${signatures[signature]}${signers.map((one) => html`<br><code class="hash">${one}</code>`)}</dd>
<dt>Provenance</dt><dd>${provenances[provenance]}${builder !== undefined && html`<br>${builder}`}</dd>
<dt>Bill of materials</dt><dd>${documents.length === 0 ? [badge("plain", "none"), ` ${reference === undefined ? "made on demand" : "nothing is attached"}`] : documents.map(({ format, attested }) => html`${badge(attested ? "good" : "plain", attested ? "attested" : "attached")} ${format}<br>`)}</dd>
${image.licenses !== undefined && html`<dt>Licence</dt><dd>${image.licenses}</dd>`}${image.revision !== undefined && html`<dt>Commit</dt><dd><code class="hash">${image.revision}</code></dd>`}</dl>
${problems.length > 0 && html`<ul class="findings">${problems.map((one) => html`<li class="error"><span class="sr">Error: </span>${one}</li>`)}</ul>`}
<div class="boxes">${reference !== undefined && copyBox("Verify", shellLine(["spacktainers", "verify", word]))}${image.origin !== "locked" && copyBox("Bill of materials", `${shellLine(["spacktainers", "sbom", word])} --output sbom.spdx.json`)}</div>`;
}

/** How to make the image again. */
export function reproduceSection(name: string, image: CatalogueImage): MarkupContent {
  const [repository] = image.repositories;
  const published = repository === undefined ? undefined : `${repository}@${image.digest}`;
  return html`<p>The same definition and locks give the same bytes, on any machine.</p>
<div class="boxes">${published !== undefined && copyBox("From the image alone", shellLine(["spacktainers", "reproduce", published]))}${image.origin === "built" && copyBox("From the image alone", shellLine(["spacktainers", "reproduce", name]))}${copyBox("From the repository", `${image.revision === undefined ? "" : `git checkout ${image.revision}\n`}${shellLine(["spacktainers", "build", name, "--arch", image.arch])}`)}</div>
${image.digest !== undefined && html`<p class="note">The digest must be <code class="hash">${image.digest}</code></p>`}`;
}
