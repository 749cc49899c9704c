import { isJsonObject } from "../../util/json.ts";
import { runTool } from "../../util/tool.ts";
import { type BaseImageName, type BuildTool, baseImages, findBuildTool, localTag } from "./baseImage.ts";

/** A base image of this machine. */
export interface ListedBase {
  readonly name: BaseImageName;
  readonly tag: string;
  /** Undefined if it has not been made yet. */
  readonly id: string | undefined;
  /** When it was made, ISO 8601. */
  readonly created: string | undefined;
}

/** The builder and runtime images of this machine. @throws SpacktainersError RUNTIME_MISSING */
export async function listBases(
  wanted: BuildTool | undefined,
): Promise<{ readonly tool: BuildTool; readonly images: readonly ListedBase[] }> {
  const tool = await findBuildTool(wanted);
  const images: ListedBase[] = [];
  for (const name of baseImages) {
    const tag = localTag(name);
    const { status, stdout } = await runTool(
      tool === "buildah" ? ["buildah", "inspect", "--type", "image", tag] : [tool, "image", "inspect", tag],
    );
    const found = status === 0 ? inspected(stdout) : {};
    images.push({ name, tag, id: textOf(found, ["Id", "FromImageID"]), created: createdOf(found) });
  }
  return { tool, images };
}

function inspected(text: string): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = JSON.parse(text);
    const one: unknown = Array.isArray(json) ? json[0] : json;
    return isJsonObject(one) ? one : {};
  } catch {
    return {};
  }
}

function textOf(found: Readonly<Record<string, unknown>>, keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const value = found[key];
    if (typeof value === "string" && value !== "") return value;
  }
  return undefined;
}

function createdOf(found: Readonly<Record<string, unknown>>): string | undefined {
  const inner = isJsonObject(found.OCIv1) ? found.OCIv1 : found;
  return textOf(inner, ["Created", "created"]);
}
