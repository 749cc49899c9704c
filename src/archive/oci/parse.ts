/** Documents of the OCI image specification from untrusted JSON: typed, or an error that says what is wrong where. */
import { type Digest, parseDigest } from "../../util/digest.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import { isJsonObject, type JsonObject } from "../../util/json.ts";
import type {
  Annotations,
  Descriptor,
  ExecutionConfig,
  HistoryEntry,
  ImageConfig,
  ImageIndex,
  ImageManifest,
  Platform,
} from "./types.ts";

/** More layers than this no runtime can use. */
const maxLayers = 1000;
const maxManifests = 10_000;

/** Reads an image manifest (OCI or Docker schema 2). @throws SpacktainersError ARCHIVE_INVALID */
export function parseImageManifest(bytes: Uint8Array, where: Place): ImageManifest {
  const json = parseObject(bytes, where);
  const annotations = optionalAnnotations(json, "annotations", where);
  return {
    schemaVersion: schemaVersion(json, where),
    mediaType: typeof json.mediaType === "string" ? json.mediaType : "",
    ...optionalText(json, "artifactType", where),
    config: descriptor(json.config, "config", where),
    layers: list(json.layers, "layers", maxLayers, where).map((item) => descriptor(item, "layers", where)),
    ...(isJsonObject(json.subject) ? { subject: descriptor(json.subject, "subject", where) } : {}),
    ...annotations,
  };
}

/** Reads an image index (OCI, or Docker manifest list). @throws SpacktainersError ARCHIVE_INVALID */
export function parseIndex(bytes: Uint8Array, where: Place): ImageIndex {
  const json = parseObject(bytes, where);
  return {
    schemaVersion: schemaVersion(json, where),
    mediaType: typeof json.mediaType === "string" ? json.mediaType : "",
    manifests: list(json.manifests, "manifests", maxManifests, where).map((item) =>
      descriptor(item, "manifests", where),
    ),
    ...optionalAnnotations(json, "annotations", where),
  };
}

/** Reads an image configuration; what we have no use for is left out. @throws SpacktainersError ARCHIVE_INVALID */
export function parseImageConfig(bytes: Uint8Array, where: Place): ImageConfig {
  const json = parseObject(bytes, where);
  const rootfs = isJsonObject(json.rootfs) ? json.rootfs : {};
  const config = isJsonObject(json.config) ? { config: execution(json.config, where) } : {};
  const history = Array.isArray(json.history)
    ? { history: json.history.filter(isJsonObject).map((item) => historyEntry(item, where)) }
    : {};
  return {
    ...optionalText(json, "created", where),
    ...optionalText(json, "author", where),
    architecture: text(json, "architecture", where),
    ...optionalText(json, "variant", where),
    os: text(json, "os", where),
    ...config,
    rootfs: {
      type: "layers",
      diff_ids: list(rootfs.diff_ids, "rootfs.diff_ids", maxLayers, where).map((item) =>
        digest(item, "rootfs.diff_ids", where),
      ),
    },
    ...history,
  };
}

function execution(json: JsonObject, where: Place): ExecutionConfig {
  return {
    ...optionalText(json, "User", where),
    ...optionalTexts(json, "Env", where),
    ...optionalTexts(json, "Entrypoint", where),
    ...optionalTexts(json, "Cmd", where),
    ...optionalText(json, "WorkingDir", where),
    ...optionalAnnotations(json, "Labels", where),
    ...optionalSet(json, "ExposedPorts"),
    ...optionalSet(json, "Volumes"),
    ...optionalText(json, "StopSignal", where),
  };
}

/** An object whose keys are what counts. */
function optionalSet(json: JsonObject, key: "ExposedPorts" | "Volumes"): Partial<ExecutionConfig> {
  const value = json[key];
  return isJsonObject(value)
    ? { [key]: Object.fromEntries(Object.keys(value).map((name) => [name, {}])) }
    : {};
}

function historyEntry(json: JsonObject, where: Place): HistoryEntry {
  return {
    ...optionalText(json, "created", where),
    ...optionalText(json, "created_by", where),
    ...optionalText(json, "comment", where),
    ...(json.empty_layer === true ? { empty_layer: true } : {}),
  };
}

function descriptor(value: unknown, field: string, where: Place): Descriptor {
  if (!isJsonObject(value)) throw malformed(`${field} is not a descriptor`, where);
  const { size } = value;
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    throw malformed(`${field} has no valid size`, where);
  return {
    mediaType: text(value, "mediaType", where),
    digest: digest(value.digest, field, where),
    size,
    ...(isJsonObject(value.platform) ? { platform: platform(value.platform, where) } : {}),
    ...optionalText(value, "artifactType", where),
    ...optionalAnnotations(value, "annotations", where),
  };
}

function platform(json: JsonObject, where: Place): Platform {
  return {
    architecture: text(json, "architecture", where),
    os: text(json, "os", where),
    ...optionalText(json, "variant", where),
  };
}

/** What to do about an image whose documents cannot be read. */
export const damagedImage =
  "the image is damaged, or an unsuitable tool made it: build, push or copy it again";

function parseObject(bytes: Uint8Array, where: Place): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (error) {
    throw new SpacktainersError("ARCHIVE_INVALID", "a document of the image is not JSON", {
      place: where,
      hint: damagedImage,
      cause: error,
    });
  }
  if (!isJsonObject(value)) throw malformed("it is not an object", where);
  return value;
}

function schemaVersion(json: JsonObject, where: Place): 2 {
  if (json.schemaVersion !== 2) throw malformed("schemaVersion is not 2", where);
  return 2;
}

function digest(value: unknown, field: string, where: Place): Digest {
  const parsed = typeof value === "string" ? parseDigest(value) : undefined;
  if (parsed === undefined) throw malformed(`${field} has no SHA-256 digest`, where);
  return parsed;
}

function list(value: unknown, field: string, most: number, where: Place): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(`${field} is not a list`, where);
  if (value.length > most) throw malformed(`${field} has more than ${most} items`, where);
  return value;
}

function text(json: JsonObject, field: string, where: Place): string {
  const value = json[field];
  if (typeof value !== "string" || value === "") throw malformed(`${field} is missing`, where);
  return value;
}

function optionalText<K extends string>(
  json: JsonObject,
  field: K,
  where: Place,
): { readonly [P in K]?: string } {
  const value = json[field];
  if (value === undefined || value === null || value === "") return {};
  if (typeof value !== "string") throw malformed(`${field} is not text`, where);
  return { [field]: value } as { readonly [P in K]?: string };
}

function optionalTexts<K extends string>(
  json: JsonObject,
  field: K,
  where: Place,
): { readonly [P in K]?: readonly string[] } {
  const value: unknown = json[field];
  if (value === undefined || value === null) return {};
  if (!Array.isArray(value)) throw malformed(`${field} is not a list`, where);
  const texts = value.filter((item): item is string => typeof item === "string");
  if (texts.length !== value.length) throw malformed(`${field} has something that is not text`, where);
  return { [field]: texts } as unknown as { readonly [P in K]?: readonly string[] };
}

function optionalAnnotations<K extends string>(
  json: JsonObject,
  field: K,
  where: Place,
): { readonly [P in K]?: Annotations } {
  const value = json[field];
  if (value === undefined || value === null) return {};
  if (!isJsonObject(value)) throw malformed(`${field} is not an object`, where);
  const annotations: Record<string, string> = Object.create(null);
  for (const [key, item] of Object.entries(value)) {
    if (typeof item !== "string") throw malformed(`${field} has something that is not text`, where);
    annotations[key] = item;
  }
  return { [field]: annotations } as { readonly [P in K]?: Annotations };
}

function malformed(what: string, where: Place): SpacktainersError {
  return new SpacktainersError("ARCHIVE_INVALID", `a document of the image is malformed: ${what}`, {
    place: where,
    hint: damagedImage,
  });
}
