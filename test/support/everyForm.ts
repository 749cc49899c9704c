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
  mkdirSync(sandbox);
  await unpackLayers(sandbox, await image.layers());
  mkdirSync(join(sandbox, ".singularity.d", "env"), { recursive: true });
  mkdirSync(join(sandbox, ".singularity.d", "actions"), { recursive: true });
  for (const action of ["exec", "run", "shell"])
    writeFileSync(join(sandbox, ".singularity.d", "actions", action), sandboxScript(action), { mode: 0o755 });
  if (squashfsTrouble() !== undefined) return;
  await writeSif(join(folder, "image.sif"), image);
  await writeSquashfs(join(folder, "image.sqfs"), image);
}

/** What Apptainer would put there, without all that it does. */
function sandboxScript(action: string): string {
  if (action === "exec") return '#!/bin/sh\nexec "$@"\n';
  return action === "run" ? '#!/bin/sh\nexec /bin/sh -c "$*"\n' : '#!/bin/sh\nexec /bin/sh "$@"\n';
}
