/** One small image in every form that an image on this machine can have. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openLayout } from "../../src/image/openLayout.ts";
import { platformOf } from "../../src/image/platform.ts";
import { writeDockerArchive, writeOciArchive } from "../../src/image/writeArchives.ts";
import { unpackLayers } from "../../src/image/writeRootfs.ts";
import { writeSif, writeSquashfs } from "../../src/sif/writeSif.ts";
import { commandExists } from "./commandExists.ts";
import { type LayoutParts, writeTestLayout } from "./hostImage.ts";

/** Why SIF and squashfs files can neither be written nor read here, or undefined. */
export function squashfsTrouble(): string | undefined {
  const missing = ["tar2sqfs", "sqfs2tar"].find((program) => !commandExists(program));
  return missing && `${missing} is not installed`;
}

/** Words for a command line, relative to the folder, by the form that they name. */
export const everyForm = {
  layout: "image",
  "oci layout": "oci:image",
  "oci archive": "oci-archive:image.tar",
  "docker archive": "docker-archive:docker.tar",
  sandbox: "sandbox",
  SIF: "image.sif",
  squashfs: "image.sqfs",
} as const;
export type FormName = keyof typeof everyForm;

/** The forms that need programs that read and write squashfs. */
export const squashfsForms: readonly FormName[] = ["SIF", "squashfs"];

/** Writes the image in every form into a folder; SIF and squashfs files only where the programs for it are here. */
export async function writeEveryForm(folder: string, parts: LayoutParts): Promise<void> {
  const layout = await writeTestLayout(join(folder, "image"), parts);
  const image = await openLayout(layout, {
    platforms: [platformOf("amd64"), platformOf("arm64")],
    reference: undefined,
  });
  await writeOciArchive(join(folder, "image.tar"), [image]);
  await writeDockerArchive(join(folder, "docker.tar"), image, { reference: "test:1" });
  const sandbox = join(folder, "sandbox");
  mkdirSync(join(sandbox, "etc"), { recursive: true });
  await unpackLayers(sandbox, await image.layers());
  // Where Apptainer mounts things; it makes no such places in a directory.
  for (const place of ["dev", "proc", "sys", "tmp", "var/tmp", "root", "home", ".singularity.d/env"])
    mkdirSync(join(sandbox, place), { recursive: true });
  for (const name of ["hosts", "resolv.conf", "passwd", "group", "localtime"])
    writeFileSync(join(sandbox, "etc", name), "", { flag: "a" });
  mkdirSync(join(sandbox, ".singularity.d/actions"));
  for (const action of ["exec", "run", "shell"])
    writeFileSync(join(sandbox, ".singularity.d/actions", action), actionScript(action), { mode: 0o755 });
  writeFileSync(join(sandbox, ".singularity.d/runscript"), "#!/bin/sh\necho by itself\n", { mode: 0o755 });
  if (squashfsTrouble() !== undefined) return;
  await writeSif(join(folder, "image.sif"), image);
  await writeSquashfs(join(folder, "image.sqfs"), image);
}

/** What Apptainer would put there, without all that it does. */
function actionScript(action: string): string {
  const start = { exec: "", run: "/.singularity.d/runscript ", shell: "/bin/sh " }[action];
  return `#!/bin/sh\nexec ${start}"$@"\n`;
}
