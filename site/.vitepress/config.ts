import { defineConfig, type MarkdownRenderer } from "vitepress";

const page = (text: string, link: string) => ({ text, link });

/** The four kinds of documentation; every page is in one of them. */
export const parts = [
  {
    text: "Tutorials",
    items: [
      page("A first container", "/first-container"),
      page("A first build cache", "/first-cache"),
      page("From what you have", "/migrate"),
    ],
  },
  {
    text: "How-to guides",
    items: [
      page("Install", "/install"),
      page("Build missing packages", "/building"),
      page("Change an image with a Dockerfile", "/epilogue"),
      page("Choose the base", "/base"),
      page("Publish images", "/publishing"),
      page("Publish a catalogue", "/catalogue"),
      page("Look after build caches", "/caches"),
      page("Run pipelines", "/ci"),
      page("Run on a cluster", "/hpc"),
      page("Run here", "/running"),
      page("Write SIF files", "/sif"),
      page("Write a Dockerfile", "/dockerfile"),
      page("Install without a container", "/unpack"),
      page("Reproduce an image", "/reproduce"),
      page("Explain and compare images", "/explain"),
      page("Builder and runtime images", "/builder"),
      page("Solve problems", "/errors"),
      page("Questions", "/faq"),
    ],
  },
  {
    text: "Reference",
    items: [
      page("Commands", "/commands/"),
      page("Options", "/options"),
      page("Error codes", "/codes"),
      page("Configuration", "/configuration"),
      page("Locks", "/locks"),
      page("Progress and timings", "/progress"),
      page("What is in an image", "/images"),
      page("Registries", "/registries"),
      page("Formats", "/formats"),
      page("Differences from Spack", "/differences"),
      page("The library", "/library"),
      page("The changelog", "/changelog"),
    ],
  },
  {
    text: "Explanation",
    items: [
      page("Architecture", "/architecture"),
      page("Layers", "/layers"),
      page("The check", "/checking"),
      page("Recipes and the environment", "/recipes"),
      page("Supply chain", "/supply-chain"),
      page("Size, time and cost", "/sizing"),
      page("Performance", "/performance"),
      page("Reliability", "/reliability"),
      page("The demo", "/demo"),
      page("Security", "/security"),
      page("Contributing", "/contributing"),
    ],
  },
];

/** Names of headings as GitHub makes them, so that links work in both places. */
function slugify(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{Pc} -]/gu, "")
    .replaceAll(" ", "-");
}

/**
 * Words for the search: besides those that spaces and punctuation divide, options (`--no-strip`) and error codes (`DISK_FULL`) as a
 * whole. The generator hands the text of this function on to the page: it uses nothing but its parameter.
 */
export function tokenize(text: string): string[] {
  return [
    ...text.split(/[\n\r\p{Z}\p{P}]+/u),
    ...(text.match(/--[a-z][a-z0-9-]*|[A-Z]+(?:_[A-Z]+)+/g) ?? []),
  ];
}

/** Blocks that no test runs say so, beside their language (`illustration` behind it in the page). */
function labelIllustrations(md: MarkdownRenderer): void {
  const fence = md.renderer.rules.fence;
  md.renderer.rules.fence = (tokens, at, ...rest) => {
    const drawn = fence?.(tokens, at, ...rest) ?? "";
    return /\sillustration\b/.test(tokens[at]?.info ?? "")
      ? drawn.replace(/<span class="lang">(.*?)<\/span>/, '<span class="lang">$1 · illustration</span>')
      : drawn;
  };
}

export default defineConfig({
  title: "Spacktainers",
  description: "Containers built with Spack packages",
  srcDir: "content",
  outDir: "dist",
  cleanUrls: false,
  // Where it is served below a path, as GitHub Pages does.
  base: process.env.SITE_BASE ?? "/",
  // A link to nothing ends the build.
  ignoreDeadLinks: false,
  markdown: { anchor: { slugify }, config: labelIllustrations },
  metaChunk: true,
  themeConfig: {
    outline: [2, 3],
    search: { provider: "local", options: { detailedView: true, miniSearch: { options: { tokenize } } } },
    sidebar: parts,
    nav: [
      page("First container", "/first-container"),
      page("Commands", "/commands/"),
      page("Errors", "/errors"),
    ],
  },
});
