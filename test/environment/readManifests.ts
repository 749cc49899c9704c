import { expect } from "vitest";
import { type ManifestOptions, readManifest } from "../../src/environment/manifest.ts";

export const problemsOf = (text: string, options: ManifestOptions = {}) =>
  readManifest(text, "spack.yaml", options).errors.map(
    ({ code, message, place, hint }) =>
      `${place.line}:${place.column} ${code} ${message}${hint === undefined ? "" : ` | ${hint}`}`,
  );

export function read(text: string, options: ManifestOptions = {}) {
  const { environment, errors } = readManifest(text, "spack.yaml", options);
  expect(errors.map(({ message }) => message)).toEqual([]);
  if (environment === undefined) throw new Error("no environment");
  return environment;
}
