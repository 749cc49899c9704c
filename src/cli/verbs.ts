import type { Command } from "commander";
import type { VerbOutcome } from "./context.ts";
import { buildVerb } from "./verbs/build.ts";
import { checkVerb } from "./verbs/check.ts";
import { diffVerb } from "./verbs/diff.ts";
import { explainVerb } from "./verbs/explain.ts";
import { keysVerb } from "./verbs/keys.ts";
import { listVerb } from "./verbs/list.ts";
import { lockVerb } from "./verbs/lock.ts";
import { runVerb } from "./verbs/run.ts";
import { sbomVerb } from "./verbs/sbom.ts";
import { shellVerb } from "./verbs/shell.ts";
import { unpackVerb } from "./verbs/unpack.ts";

/** Makes the command of one verb. Loading a verb must be cheap: its work is imported when it runs. */
export type Verb = (program: Command, outcome: VerbOutcome) => Command;

/** All verbs, in the order `--help` lists them. */
export const verbs: readonly Verb[] = [
  listVerb,
  checkVerb,
  lockVerb,
  buildVerb,
  runVerb,
  shellVerb,
  unpackVerb,
  explainVerb,
  diffVerb,
  sbomVerb,
  keysVerb,
];
