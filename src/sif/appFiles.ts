import type { DefApp, DefText } from "../definitions/defContents.ts";
import type { OwnEntry } from "./mergeLayers.ts";

/**
 * Directories and files of the apps of an image (Scientific Filesystem, as Apptainer lays it out): `/scif/apps/NAME` with
 * `bin`, `lib` and `scif`, and `/scif/data/NAME`.
 */
export function appEntries(apps: readonly DefApp[], mtime: number): readonly OwnEntry[] {
  const entries: OwnEntry[] = [];
  const directory = (path: string): void => {
    entries.push({ type: "directory", path, mode: 0o755, mtime });
  };
  const file = (path: string, text: string, mode = 0o755): void => {
    entries.push({ type: "file", path, mode, mtime, content: Buffer.from(text) });
  };
  if (apps.length > 0) for (const path of ["scif", "scif/apps", "scif/data"]) directory(path);
  for (const app of apps) {
    const root = `scif/apps/${app.name}`;
    const data = `scif/data/${app.name}`;
    const below = [root, `${root}/bin`, `${root}/lib`, `${root}/scif`, `${root}/scif/env`];
    for (const path of [...below, data, `${data}/input`, `${data}/output`]) directory(path);
    file(`${root}/scif/env/01-base.sh`, baseScript(app.name));
    if (app.environment !== undefined)
      file(`${root}/scif/env/90-environment.sh`, `${app.environment.body}\n`);
    const script = (name: string, text: DefText | undefined): void => {
      if (text !== undefined) file(`${root}/scif/${name}`, scriptText(text));
    };
    script("runscript", app.runscript);
    script("startscript", app.startscript);
    script("test", app.test);
    if (app.help !== undefined) file(`${root}/scif/runscript.help`, `${app.help.body}\n`, 0o644);
    const labels = [...app.labels, ["SCIF_APP_NAME", app.name] as const].sort(([a], [b]) => (a < b ? -1 : 1));
    file(`${root}/scif/labels.json`, JSON.stringify(Object.fromEntries(labels), null, "\t"), 0o644);
  }
  return entries;
}

/** A script of a definition as a file. */
export function scriptText({ interpreter, body }: DefText): string {
  return `#!${interpreter}\n\n${body}\n`;
}

function baseScript(name: string): string {
  return `#!/bin/sh
# Where this app has its files.
SCIF_APPNAME=${name}
SCIF_APPROOT="/scif/apps/${name}"
SCIF_APPMETA="/scif/apps/${name}/scif"
SCIF_DATA="/scif/data"
SCIF_APPDATA="/scif/data/${name}"
SCIF_APPINPUT="/scif/data/${name}/input"
SCIF_APPOUTPUT="/scif/data/${name}/output"
export SCIF_APPNAME SCIF_APPROOT SCIF_APPMETA SCIF_DATA SCIF_APPDATA SCIF_APPINPUT SCIF_APPOUTPUT
`;
}
