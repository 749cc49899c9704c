import type { Command } from "commander";
import type { VerbOutcome } from "./context.ts";
import { addVerb } from "./verbs/add.ts";
import { baseVerb } from "./verbs/base.ts";
import { buildVerb } from "./verbs/build.ts";
import { cacheVerb } from "./verbs/cache.ts";
import { catalogueVerb } from "./verbs/catalogue.ts";
import { checkVerb } from "./verbs/check.ts";
import { ciVerb } from "./verbs/ci.ts";
import { completionVerb } from "./verbs/completion.ts";
import { diffVerb } from "./verbs/diff.ts";
import { dockerfileVerb } from "./verbs/dockerfile.ts";
import { doctorVerb } from "./verbs/doctor.ts";
import { execVerb } from "./verbs/exec.ts";
import { explainVerb } from "./verbs/explain.ts";
import { initVerb } from "./verbs/init.ts";
import { jobVerb } from "./verbs/job.ts";
import { keysVerb } from "./verbs/keys.ts";
import { listVerb } from "./verbs/list.ts";
import { lockVerb } from "./verbs/lock.ts";
import { migrateVerb } from "./verbs/migrate.ts";
import { namesVerb } from "./verbs/names.ts";
import { planVerb } from "./verbs/plan.ts";
import { pullVerb } from "./verbs/pull.ts";
import { pushVerb } from "./verbs/push.ts";
import { rebaseVerb } from "./verbs/rebase.ts";
import { reproduceVerb } from "./verbs/reproduce.ts";
import { runVerb } from "./verbs/run.ts";
import { sbomVerb } from "./verbs/sbom.ts";
import { schemaVerb } from "./verbs/schema.ts";
import { shellVerb } from "./verbs/shell.ts";
import { shimsVerb } from "./verbs/shims.ts";
import { sifVerb } from "./verbs/sif.ts";
import { signVerb } from "./verbs/sign.ts";
import { spackVerb } from "./verbs/spack.ts";
import { storageVerb } from "./verbs/storage.ts";
import { testVerb } from "./verbs/test.ts";
import { unpackVerb } from "./verbs/unpack.ts";
import { verifyVerb } from "./verbs/verify.ts";
import { versionVerb } from "./verbs/version.ts";

/** Makes the command of one verb. Loading a verb must be cheap: its work is imported when it runs. */
export type Verb = (program: Command, outcome: VerbOutcome) => Command;

/** All verbs by name, in the order `--help` lists them. */
export const verbs: Readonly<Record<string, Verb>> = {
  init: initVerb,
  add: addVerb,
  migrate: migrateVerb,
  list: listVerb,
  check: checkVerb,
  lock: lockVerb,
  plan: planVerb,
  build: buildVerb,
  test: testVerb,
  push: pushVerb,
  rebase: rebaseVerb,
  pull: pullVerb,
  run: runVerb,
  exec: execVerb,
  shell: shellVerb,
  sif: sifVerb,
  job: jobVerb,
  shims: shimsVerb,
  doctor: doctorVerb,
  unpack: unpackVerb,
  explain: explainVerb,
  diff: diffVerb,
  dockerfile: dockerfileVerb,
  base: baseVerb,
  sbom: sbomVerb,
  sign: signVerb,
  verify: verifyVerb,
  reproduce: reproduceVerb,
  keys: keysVerb,
  cache: cacheVerb,
  storage: storageVerb,
  spack: spackVerb,
  ci: ciVerb,
  catalogue: catalogueVerb,
  schema: schemaVerb,
  completion: completionVerb,
  version: versionVerb,
};

/** Verbs that `--help` does not list: shells ask them. */
export const hiddenVerbs: Readonly<Record<string, Verb>> = { names: namesVerb };

/** Verbs whose work is about all of them: they are given a program that has them. */
export const verbsOfAll: readonly string[] = ["completion", "help"];
