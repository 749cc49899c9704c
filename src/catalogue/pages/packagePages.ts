import type { ConcreteSpec, DagHash } from "../../spec/concrete.ts";
import { concreteVariants, formatVariants } from "../../spec/format.ts";
import { generationOf } from "../../spec/generation.ts";
import type { CatalogueFacts } from "../facts.ts";
import { html, type MarkupContent } from "../markup.ts";
import { imageLabel, imagePaths, linkFrom, packagePath } from "../paths.ts";
import { byNameAndVersion } from "../search/searchData.ts";
import { badge, count, layout } from "./layout.ts";

/** An image that has a package. */
interface User {
  readonly container: string;
  readonly label: string;
  readonly path: string;
}

/** Packages that are in images, by name, and who has them. */
export interface PackageUses {
  /** In order. */
  readonly byName: ReadonlyMap<string, readonly ConcreteSpec[]>;
  readonly users: ReadonlyMap<DagHash, readonly User[]>;
}

/** Which packages are in which images. */
export function packageUses({ containers, graph }: CatalogueFacts): PackageUses {
  const users = new Map<DagHash, User[]>();
  for (const container of containers) {
    const paths = imagePaths(container);
    for (const [at, image] of container.images.entries())
      for (const hash of new Set([...image.packages, ...image.externals])) {
        const user = { container: container.name, label: imageLabel(image), path: paths[at] ?? "" };
        const known = users.get(hash);
        if (known === undefined) users.set(hash, [user]);
        else known.push(user);
      }
  }
  const byName = new Map<string, ConcreteSpec[]>();
  for (const spec of [...users.keys()].flatMap((hash) => graph.get(hash) ?? []).sort(byNameAndVersion)) {
    const known = byName.get(spec.name);
    if (known === undefined) byName.set(spec.name, [spec]);
    else known.push(spec);
  }
  return { byName, users };
}

/** The list of all packages. */
export function packageList(facts: CatalogueFacts, { byName, users }: PackageUses): string {
  const path = "packages/index.html";
  const rows = [...byName].map(([name, specs]) => {
    const containers = new Set(
      specs.flatMap(({ hash }) => users.get(hash)?.map((one) => one.container) ?? []),
    );
    const versions = [...new Set(specs.map(({ version }) => version))];
    return html`<tr><th scope="row"><a href="${linkFrom(path, packagePath(name))}">${name}</a></th><td>${versions.slice(0, 6).join(", ")}${versions.length > 6 && ` and ${versions.length - 6} more`}</td><td class="number">${containers.size}</td></tr>
`;
  });
  return layout(
    {
      path,
      title: "Packages",
      description: `${byName.size} Spack packages, and the containers that have them`,
      section: "packages",
      scripts: ["container.js"],
      body: html`<h1>Packages</h1>
<p class="lead">${count(byName.size, "Spack package")} in ${count(facts.containers.length, "container")}.</p>
<p class="filter" hidden><label>Filter <input type="search" data-filter="packages" autocomplete="off"></label></p>
<div class="scroll" tabindex="0" role="region" aria-label="Table of packages"><table id="packages"><thead><tr><th scope="col">Package</th><th scope="col">Versions</th><th scope="col" class="number">Containers</th></tr></thead>
<tbody>${rows}</tbody></table></div>`,
    },
    facts,
  );
}

/** The page of a package: its configurations, and the containers that have each. */
export function packagePage(name: string, facts: CatalogueFacts, { byName, users }: PackageUses): string {
  const path = packagePath(name);
  const specs = byName.get(name) ?? [];
  const containers = new Set(specs.flatMap(({ hash }) => users.get(hash)?.map((one) => one.container) ?? []));
  const versions = new Set(specs.map(({ version }) => version));
  const summary = `${name} in ${count(containers.size, "container")}: ${count(versions.size, "version")}, ${count(specs.length, "configuration")}`;
  return layout(
    {
      path,
      title: name,
      description: summary,
      section: "packages",
      scripts: ["container.js"],
      body: html`<h1>${name}</h1>
<p class="lead">In ${count(containers.size, "container")}: ${count(versions.size, "version")}, ${count(specs.length, "configuration")}. <a href="${linkFrom(path, "index.html")}?q=${encodeURIComponent(name)}">Search for it</a></p>
${specs.map((spec) => configuration(spec, users.get(spec.hash) ?? [], path))}`,
    },
    facts,
  );
}

function configuration(spec: ConcreteSpec, users: readonly User[], path: string): MarkupContent {
  const dialect = generationOf(spec);
  const flags = [...spec.flags].map(([kind, list]) => `${kind}="${list.join(" ")}"`);
  const compiler = spec.compiler === undefined ? undefined : `${spec.compiler.name}@${spec.compiler.version}`;
  const compilers = spec.dependencies.flatMap(({ name, virtuals }) =>
    virtuals.some((one) => one === "c" || one === "cxx" || one === "fortran") ? [name] : [],
  );
  const byContainer = new Map<string, User[]>();
  for (const user of users)
    byContainer.set(user.container, [...(byContainer.get(user.container) ?? []), user]);
  return html`<section class="panel" id="${spec.hash}"><h2>${spec.version} <code class="hash">/${spec.hash.slice(0, 7)}</code>${spec.external !== undefined && html` ${badge("plain", "external")}`}</h2>
<dl class="pairs"><dt>Variants</dt><dd><code>${formatVariants(concreteVariants(spec), dialect).trim() || "none"}</code></dd>${flags.length > 0 && html`<dt>Flags</dt><dd><code>${flags.join(" ")}</code></dd>`}<dt>Target</dt><dd>${spec.target}, ${spec.os}</dd><dt>Compiler</dt><dd>${compiler ?? ([...new Set(compilers)].join(", ") || "not known")}</dd><dt>Repository</dt><dd>${spec.namespace ?? "not known"}</dd><dt>Hash</dt><dd><code>${spec.hash}</code></dd><dt>Containers</dt><dd><ul class="inline">${[...byContainer].map(([container, some]) => html`<li>${some.map((one, at) => html`${at > 0 && ", "}<a href="${linkFrom(path, one.path)}">${at === 0 && `${container} `}${one.label}</a>`)}</li>`)}</ul></dd></dl>
</section>
`;
}
