/** What says whether pipelines are valid: actionlint, and GitLab's published schema. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { commandExists } from "./commandExists.ts";

const scratch = (path: string): string => resolve(import.meta.dirname, "../../.scratch", path);

/** The program `actionlint`, as `scripts/install-components.sh` installs it; undefined: it is not here. */
export function actionlint(): string | undefined {
  const own = scratch("go/bin/actionlint");
  if (existsSync(own)) return own;
  return commandExists("actionlint") ? "actionlint" : undefined;
}

/** What actionlint says of the workflows of a repository; empty when they are valid. */
export function lintWorkflows(program: string, directory: string): string {
  try {
    // Whether a shell script checker is here as well is not to matter.
    return execFileSync(program, ["-no-color", "-shellcheck=", "-pyflakes="], {
      cwd: directory,
      encoding: "utf8",
    });
  } catch (error) {
    const { stdout, message } = error as Error & { readonly stdout?: string };
    return stdout || message;
  }
}

/** Path of GitLab's schema; undefined: it is not here. */
export function gitlabSchema(): string | undefined {
  const path = scratch("gitlab-ci-schema.json");
  return existsSync(path) ? path : undefined;
}

/** What the schema says of a pipeline; empty when it is valid. */
export function gitlabErrors(schema: string, text: string): readonly string[] {
  const validate = new Ajv({ allErrors: true, strict: false, validateFormats: false }).compile(
    JSON.parse(readFileSync(schema, "utf8")),
  );
  if (validate(parse(text))) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath}: ${message}`);
}
