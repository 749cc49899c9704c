/**
 * What an image needs to be a container for Apptainer: scripts and facts below `/.singularity.d`, links to them, and the
 * directories and files it mounts over. Which files there are and when what is kept is Apptainer's behaviour (seen with 1.4).
 */

import type { DefApp, DefContents, DefText } from "../definitions/defContents.ts";
import type { ImageOrigin } from "../image/image.ts";
import { actionScripts, commonEnvironmentScripts } from "./actionScripts.ts";
import { appEntries, scriptText } from "./appFiles.ts";
import type { LayerTree } from "./layerTree.ts";
import type { OwnEntry } from "./mergeLayers.ts";
import { ociEnvironmentScript, ociRunscript } from "./ociScripts.ts";

/** Sections of a definition that become files without running anything. */
export type DefinitionTexts = Pick<
  DefContents,
  "environment" | "runscript" | "startscript" | "test" | "help" | "labels" | "apps"
>;

/** For an image that is not made from a user's definition. */
export const noSections: DefinitionTexts = { labels: new Map(), apps: [] };

/** What is known of a container apart from its layers. */
export interface ContainerDescription {
  /** The definition file it is made from. */
  readonly definition: string;
  readonly origin: ImageOrigin;
  readonly architecture: string;
  /** Seconds since 1970; time of every file made here. */
  readonly created: number;
  /** How an OCI image is run; absent where the lower layers are an Apptainer image or nothing. */
  readonly oci?: {
    readonly env: readonly string[];
    readonly entrypoint: readonly string[];
    readonly command: readonly string[];
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly sections: DefinitionTexts;
}

/** Files made for a container. */
export interface ContainerFiles {
  readonly entries: readonly OwnEntry[];
  /** Names of variables that no shell can set. */
  readonly skippedVariables: readonly string[];
  /** Text of a file of the container: one of these, or of the layers. */
  textOf(path: string): string | undefined;
  /** Everything `apptainer inspect` shows, which it reads from the SIF without mounting anything. */
  readonly inspection: object;
}

/** The folder of all that is Apptainer's. */
const home = ".singularity.d";
/** Directories that must be there to be mounted over, and their modes. */
const mountPoints: readonly (readonly [string, number])[] = [
  ["dev", 0o755],
  ["etc", 0o755],
  ["home", 0o755],
  ["proc", 0o755],
  ["root", 0o755],
  ["sys", 0o755],
  ["tmp", 0o1777],
  ["var", 0o755],
  ["var/tmp", 0o1777],
];
/** Files that are mounted over. */
const mountedFiles = ["etc/hosts", "etc/resolv.conf"];
/** Old names of the scripts. */
const links: readonly (readonly [string, string])[] = [
  [".exec", `${home}/actions/exec`],
  [".run", `${home}/actions/run`],
  [".shell", `${home}/actions/shell`],
  [".test", `${home}/actions/test`],
  ["environment", `${home}/env/90-environment.sh`],
  ["singularity", `${home}/runscript`],
];

/** True for files of the layers that {@link containerFiles} may ask for. */
export function isContainerFile(path: string): boolean {
  return path.startsWith(`${home}/`) || /^scif\/apps\/[^/]+\/scif\//.test(path);
}

/**
 * Makes the files of a container.
 *
 * @param tree what the layers have; a `.singularity.d` that is no directory is taken out of it
 * @param read content of a file of the layers for which {@link isContainerFile} is true, if there is one
 */
export function containerFiles(
  facts: ContainerDescription,
  tree: LayerTree,
  read: (path: string) => string | undefined,
): ContainerFiles {
  const { sections, oci, created: mtime } = facts;
  for (const folder of [home, `${home}/actions`, `${home}/env`, `${home}/libs`])
    if (!tree.hasDirectory(folder)) tree.remove(folder);
  const texts = new Map<string, { readonly text: string; readonly mode: number }>();
  const put = (path: string, text: string, mode = 0o755): void => {
    texts.set(path, { text, mode });
  };
  for (const [name, text] of actionScripts) put(`${home}/actions/${name}`, text);
  for (const [name, text] of commonEnvironmentScripts) put(`${home}/env/${name}`, text);
  const environment = ociEnvironmentScript(oci?.env ?? []);
  if (oci !== undefined) put(`${home}/env/10-docker2singularity.sh`, environment.script);
  const variables = read(`${home}/env/90-environment.sh`) ?? "#!/bin/sh\n# Variables of the definition.\n";
  put(
    `${home}/env/90-environment.sh`,
    sections.environment === undefined ? variables : `${variables}\n${sections.environment.body}\n`,
  );
  put(`${home}/env/94-appsbase.sh`, (read(`${home}/env/94-appsbase.sh`) ?? "") + appVariables(sections.apps));
  const script = (name: string, own: DefText | undefined, otherwise: string | undefined): void => {
    const text = own === undefined ? otherwise : scriptText(own);
    if (text !== undefined) put(`${home}/${name}`, text);
  };
  script(
    "runscript",
    sections.runscript,
    oci === undefined
      ? (read(`${home}/runscript`) ?? "#!/bin/sh\n")
      : ociRunscript(oci.entrypoint, oci.command),
  );
  script("startscript", sections.startscript, read(`${home}/startscript`) ?? "#!/bin/sh\n");
  script("test", sections.test, read(`${home}/test`));
  const help = sections.help === undefined ? read(`${home}/runscript.help`) : `${sections.help.body}\n`;
  if (help !== undefined) put(`${home}/runscript.help`, help, 0o644);
  const earlier = read(`${home}/Singularity`);
  if (earlier !== undefined && oci === undefined)
    put(`${home}/bootstrap_history/Apptainer${earlierDefinitions(read)}`, earlier, 0o644);
  put(`${home}/Singularity`, facts.definition, 0o644);
  const labels = containerLabels(facts, read(`${home}/labels.json`), help !== undefined);
  put(`${home}/labels.json`, JSON.stringify(labels, null, "\t"), 0o644);
  const apps = appEntries(sections.apps, mtime);
  for (const app of apps)
    if (app.type === "file" && app.content instanceof Uint8Array)
      texts.set(app.path, { text: Buffer.from(app.content).toString("utf8"), mode: app.mode });
  const entries: OwnEntry[] = [
    ...mountPoints
      .filter(([path]) => !tree.has(path))
      .map(([path, mode]): OwnEntry => ({ type: "directory", path, mode, mtime })),
    ...mountedFiles
      .filter((path) => !tree.has(path))
      .map((path): OwnEntry => ({ type: "file", path, mode: 0o644, mtime, content: Buffer.alloc(0) })),
    ...[home, `${home}/actions`, `${home}/env`, `${home}/libs`].map(
      (path): OwnEntry => ({ type: "directory", path, mode: 0o755, mtime }),
    ),
    ...links
      // What an image has there by chance is not taken away.
      .filter(([path]) => !tree.has(path) || tree.leafAt(path)?.type === "symlink")
      .map(([path, target]): OwnEntry => ({ type: "symlink", path, mode: 0o777, mtime, target })),
    ...apps.filter(({ type }) => type === "directory"),
    ...[...texts].map(
      ([path, { text, mode }]): OwnEntry => ({ type: "file", path, mode, mtime, content: Buffer.from(text) }),
    ),
  ];
  const final = (path: string): string | undefined => texts.get(path)?.text ?? read(path);
  const appNames = new Set([...tree.childrenOf("scif/apps"), ...sections.apps.map(({ name }) => name)]);
  return {
    entries,
    textOf: final,
    skippedVariables: environment.skipped,
    inspection: inspection(final, labels, [...appNames].sort()),
  };
}

function earlierDefinitions(read: (path: string) => string | undefined): number {
  let count = 0;
  while (read(`${home}/bootstrap_history/Apptainer${count}`) !== undefined) count++;
  return count;
}

/** Labels, sorted: those of the layers, of the OCI configuration, of the definition, and what is said of every image. */
function containerLabels(
  facts: ContainerDescription,
  earlier: string | undefined,
  help: boolean,
): Readonly<Record<string, string>> {
  const helpPath = `/${home}/runscript.help`;
  const labels = new Map<string, string>([
    ...Object.entries(parseLabels(earlier)),
    ...Object.entries(facts.oci?.labels ?? {}),
    ...facts.sections.labels,
    ["org.label-schema.schema-version", "1.0"],
    ["org.label-schema.build-arch", facts.architecture],
    ["org.label-schema.build-date", formatBuildDate(facts.created)],
    ["org.label-schema.usage.singularity.deffile.bootstrap", facts.origin.bootstrap],
    ...(facts.origin.from === ""
      ? []
      : [["org.label-schema.usage.singularity.deffile.from", facts.origin.from] as const]),
    ...(help
      ? ([
          ["org.label-schema.usage", helpPath],
          ["org.label-schema.usage.apptainer.runscript.help", helpPath],
        ] as const)
      : []),
  ]);
  return sortedRecord(labels);
}

/** Entries as an object with its keys sorted; a foreign key may be `__proto__`. */
export function sortedRecord(entries: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  const record: Record<string, string> = Object.create(null);
  for (const key of [...entries.keys()].sort()) record[key] = entries.get(key) ?? "";
  return record;
}

function parseLabels(text: string | undefined): Readonly<Record<string, string>> {
  const found = new Map<string, string>();
  try {
    const json: unknown = JSON.parse(text ?? "{}");
    if (typeof json === "object" && json !== null)
      for (const [key, value] of Object.entries(json)) if (typeof value === "string") found.set(key, value);
  } catch {
    // Labels that cannot be read are not worth failing for.
  }
  return sortedRecord(found);
}

const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = [
  ...["January", "February", "March", "April", "May", "June", "July", "August", "September", "October"],
  ...["November", "December"],
];

/** A time as Apptainer writes it into a label: `Thursday_26_November_2026_13:14:10_UTC`. */
function formatBuildDate(seconds: number): string {
  const date = new Date(seconds * 1000);
  const day = `${weekdays[date.getUTCDay()]}_${date.getUTCDate()}_${months[date.getUTCMonth()]}`;
  return `${day}_${date.getUTCFullYear()}_${date.toISOString().slice(11, 19)}_UTC`;
}

/** Variables that say where the files of each app are. */
function appVariables(apps: readonly DefApp[]): string {
  return apps
    .map((app) => {
      const root = `/scif/apps/${app.name}`;
      const key = app.name.replace(/[^A-Za-z0-9_]/g, "_");
      const values: readonly (readonly [string, string | undefined])[] = [
        ["DATA", `/scif/data/${app.name}`],
        ["META", `${root}/scif`],
        ["ROOT", root],
        ["BIN", `${root}/bin`],
        ["LIB", `${root}/lib`],
        ["ENV", app.environment === undefined ? undefined : `${root}/scif/env/90-environment.sh`],
        ["LABELS", `${root}/scif/labels.json`],
        ["RUN", app.runscript === undefined ? undefined : `${root}/scif/runscript`],
        ["START", app.startscript === undefined ? undefined : `${root}/scif/startscript`],
      ];
      return values
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `export SCIF_APP${name}_${key}="${value}"\n`)
        .join("");
    })
    .join("");
}

/** The document that `apptainer inspect` reads. */
function inspection(
  final: (path: string) => string | undefined,
  labels: Readonly<Record<string, string>>,
  apps: readonly string[],
): object {
  const trimmed = (path: string): string | undefined => final(path)?.trimEnd();
  const attributes = (at: string, deffile: string | undefined, env: readonly string[]): object => {
    const environment = env.flatMap((name) => {
      const text = trimmed(`${at}/env/${name}`);
      return text === undefined ? [] : [[`/${at}/env/${name}`, text] as const];
    });
    return withoutUndefined({
      environment: environment.length === 0 ? undefined : Object.fromEntries(environment),
      labels: at === home ? labels : parseLabels(final(`${at}/labels.json`)),
      runscript: trimmed(`${at}/runscript`),
      test: trimmed(`${at}/test`),
      helpfile: trimmed(`${at}/runscript.help`),
      deffile,
      startscript: trimmed(`${at}/startscript`),
    });
  };
  const ofApps = apps.map((name) => [
    name,
    attributes(`scif/apps/${name}/scif`, undefined, ["90-environment.sh"]),
  ]);
  return {
    data: {
      attributes: {
        ...(apps.length === 0 ? {} : { apps: Object.fromEntries(ofApps) }),
        ...attributes(home, trimmed(`${home}/Singularity`), [
          "10-docker2singularity.sh",
          "90-environment.sh",
        ]),
      },
    },
    type: "container",
  };
}

function withoutUndefined(object: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
