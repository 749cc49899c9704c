/** The documents in a SIF file beside its file system: what `apptainer inspect` and `apptainer run` read. */
import { madeByAnnotation } from "../image/annotations.ts";
import { canonicalJson } from "../image/fragmentStore.ts";
import { isJsonObject } from "../util/json.ts";
import type { ContainerRoot } from "./containerRoot.ts";

/** Named so in Apptainer's files; it finds them by these names. */
export const inspectionName = "inspect-metadata.json";
const configurationName = "oci-config.json";

/** A document, with the type and name of its object. */
export interface SifDocument {
  readonly type: "definition" | "json";
  readonly name: string;
  readonly bytes: Buffer;
}

/** The documents of an image, in the order in which they are in the file. */
export function sifDocuments(root: ContainerRoot, configBytes: Uint8Array): readonly SifDocument[] {
  const inspection = withMark(root.inspection);
  const execution = executionJson(configBytes);
  return [
    { type: "definition", name: "", bytes: Buffer.from(root.definition) },
    { type: "json", name: inspectionName, bytes: Buffer.from(JSON.stringify(inspection)) },
    ...(execution === undefined
      ? []
      : [{ type: "json" as const, name: configurationName, bytes: Buffer.from(execution) }]),
  ];
}

/** The part of an OCI configuration about running it, keys sorted, whatever is in it. */
function executionJson(configBytes: Uint8Array): string | undefined {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(configBytes).toString("utf8"));
  } catch {
    return undefined;
  }
  const execution = isJsonObject(json) ? json.config : undefined;
  return isJsonObject(execution) ? canonicalJson(execution) : undefined;
}

/** Marks a file as made by spacktainers, beside what Apptainer reads. */
function withMark(inspection: object): object {
  return { ...inspection, [madeByAnnotation]: "spacktainers" };
}
