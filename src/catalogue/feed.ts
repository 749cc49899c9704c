/** The Atom feed (RFC 4287): an entry for each image, the newest first. */
import type { CatalogueContainer, CatalogueFacts, CatalogueImage } from "./facts.ts";
import { html } from "./markup.ts";
import { changeText } from "./pages/imageSections.ts";
import { imageLabel, imagePaths } from "./paths.ts";

/** More entries are not written: readers ask again and again. */
const mostEntries = 100;

/** Of images that do not say when they were made. */
const longAgo = "1980-01-02T00:00:00Z";

/** The feed. Addresses are complete where the site's is known, else they start from the feed. */
export function atomFeed({ title, baseUrl, containers }: CatalogueFacts): string {
  const entries = containers
    .flatMap((container) => {
      const paths = imagePaths(container);
      return container.images.flatMap((image, at) =>
        image.origin === "locked" ? [] : [{ container, image, path: paths[at] ?? "" }],
      );
    })
    .sort((a, b) => byTime(b.image, a.image))
    .slice(0, mostEntries);
  const address = (path: string): string => (baseUrl === undefined ? path : `${baseUrl}/${path}`);
  return html`<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
<title>${title}</title>
<id>${baseUrl === undefined ? `tag:spacktainers.dev,2026:catalogue/${encodeURIComponent(title)}` : `${baseUrl}/`}</id>
<updated>${entries[0]?.image.updated ?? longAgo}</updated>
<author><name>${title}</name></author>
<generator>Spacktainers</generator>
<link rel="self" href="${address("feed.xml")}"/>
<link rel="alternate" href="${address("index.html")}"/>
${entries.map(
  ({ container, image, path }) => html`<entry>
<title>${container.name} ${imageLabel(image)}</title>
<id>tag:spacktainers.dev,2026:image/${container.name}/${image.digest ?? imageLabel(image)}</id>
<updated>${image.updated ?? longAgo}</updated>
<link href="${address(path)}"/>
<summary>${summaryOf(container, image)}</summary>
</entry>
`,
)}</feed>
`.text;
}

function byTime(a: CatalogueImage, b: CatalogueImage): number {
  const [first, second] = [a.updated ?? longAgo, b.updated ?? longAgo];
  return first < second ? -1 : first > second ? 1 : 0;
}

function summaryOf({ description }: CatalogueContainer, { changes, packages }: CatalogueImage): string {
  const about = description === undefined ? "" : `${description}. `;
  if (changes === undefined) return `${about}${packages.length} Spack packages.`;
  const changed = changes.packages.map(changeText);
  return `${about}Since ${changes.since}: ${changed.slice(0, 20).join("; ") || "no package changed"}${changed.length > 20 ? `; and ${changed.length - 20} more` : ""}.`;
}
