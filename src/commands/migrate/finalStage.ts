/** The last stage of a Dockerfile: what it does to the image itself. */
import { posix } from "node:path";
import type { Place } from "../../util/errors.ts";
import type { DockerfileDraft } from "./dockerfileDraft.ts";
import type { DockerStage, StageInstruction } from "./dockerfileStages.ts";
import { installedPackages, sortPackages } from "./osPackages.ts";
import { spackCommandLine } from "./spackCommand.ts";
import { commandsOf, isHarmless, readFile, readSpack, stageFiles } from "./spackSteps.ts";

/** Where Spack's packages and views are in the images of builders. */
const spackPaths =
  /^\/(?:opt\/(?:software|view|views|\._view|spack-environment|spack|image)|etc\/profile\.d\/z10_spack_environment\.sh|spack)(?:\/|$)/;
/** Commands that load the environment, or a script that does. */
const environmentLoading = /spack (?:env|load)|setup-env\.sh|\/opt\/(?:spack-environment|views?)\b/;

/** The last stage: what it does after Spack is done goes into the epilogue. */
export function readFinalStage(stage: DockerStage, isSpack: boolean, draft: DockerfileDraft): void {
  const { instructions, variables } = stage;
  const lastSpack = instructions.findLastIndex(
    (one) =>
      one.keyword === "RUN" &&
      commandsOf(one, variables).some((command) => spackCommandLine(command) !== undefined),
  );
  for (const [index, one] of instructions.entries()) {
    const isBuilding = isSpack && index <= lastSpack;
    switch (one.keyword) {
      case "RUN":
        if (isBuilding) readMixedCommands(one, stage, draft);
        else readFinalCommands(one, stage, draft);
        break;
      case "COPY":
      case "ADD":
        if (isBuilding) stageFiles(one, draft);
        else copyFiles(one, draft);
        break;
      case "ARG":
        if (!isBuilding) keep(one, draft);
        break;
      case "ENV":
        readEnvironment(one, draft);
        break;
      case "WORKDIR":
        draft.directory = posix.resolve(draft.directory, one.text.trim());
        if (!isBuilding) keep(one, draft);
        break;
      case "ENTRYPOINT":
      case "CMD":
        if (isContract(one)) draft.list.changed(`${one.keyword}: every image has it`, one.place);
        else if ([...draft.dropped].some((script) => one.text.includes(script)))
          draft.list.changed(`${one.keyword}: images start with the view's variables set`, one.place);
        else keep(one, draft);
        break;
      case "SHELL":
        if (!isBuilding) keep(one, draft);
        break;
      case "ONBUILD":
        draft.list.todo("ONBUILD has no place in an image of packages", one.place);
        break;
      default:
        keep(one, draft);
    }
  }
}

/** The entry point and command that images have anyway. */
function isContract({ text }: StageInstruction): boolean {
  return (
    /^\[\s*"\/bin\/bash"(?:\s*,\s*"--rcfile"\s*,\s*"\/etc\/profile"\s*,\s*"-l"(?:\s*,\s*"-c"\s*,\s*"\$\*"\s*,\s*"--")?)?\s*\]$/.test(
      text.trim(),
    ) || /^(?:\/bin\/)?bash$/.test(text.trim())
  );
}

/** What is done to the finished image, as it stands in the file. */
function keep(one: StageInstruction, draft: DockerfileDraft): void {
  draft.epilogue.push(...one.source);
  draft.list.taken(`${one.keyword}, in Dockerfile.epilogue`, one.place);
}

/** A variable that is about Spack itself is not needed. */
function readEnvironment(one: StageInstruction, draft: DockerfileDraft): void {
  if (/SPACK|spack|\/opt\/view|CMAKE_PREFIX_PATH/.test(one.text))
    draft.list.changed(
      "ENV about Spack or its view is not needed: images have the view's variables",
      one.place,
    );
  else keep(one, draft);
}

/** A RUN of a stage in which Spack is run, before it is done: packages of the OS may be for building or for the image. */
function readMixedCommands(one: StageInstruction, stage: DockerStage, draft: DockerfileDraft): void {
  for (const command of commandsOf(one, stage.variables)) {
    if (readSpack(command, one, draft) || readFile(command, one, draft)) continue;
    const place = one.placeAt(command.words[0]?.at ?? 0);
    const installed = installedPackages(command);
    if (installed !== undefined) {
      const { run, build } = sortPackages(installed);
      takePackages(run, place, draft);
      if (build.length > 0)
        draft.list.changed(`OS packages that only building needs are left out: ${build.join(", ")}`, place);
      continue;
    }
    const [first] = command.words;
    if (first === undefined || isHarmless(first.text)) continue;
    draft.list.todo(
      `this command is left out: ${command.words
        .map(({ text }) => text)
        .join(" ")
        .slice(0, 100)}; where the image needs it, write it into Dockerfile.epilogue`,
      place,
    );
  }
}

/** A RUN after Spack is done: packages of the OS go to the base, the rest into the epilogue as it stands. */
function readFinalCommands(one: StageInstruction, { variables }: DockerStage, draft: DockerfileDraft): void {
  const commands = commandsOf(one, variables);
  const kinds = commands.map((command) => installedPackages(command));
  const others = commands.filter((_, index) => kinds[index] === undefined);
  const isTidying = others.every(({ words }) =>
    /^(?:rm|set|apt-get|ldconfig|true)$/.test(words[0]?.text ?? ""),
  );
  if (kinds.some((kind) => kind !== undefined) && isTidying) {
    for (const [index, installed] of kinds.entries())
      if (installed !== undefined)
        takePackages(installed, one.placeAt(commands[index]?.words[0]?.at ?? 0), draft);
    return;
  }
  if (
    others.length > 0 &&
    others.every(({ words }) => words[0]?.text === "ldconfig" || words[0]?.text === "set")
  )
    draft.list.changed("ldconfig: every image has its cache", one.place);
  else if (
    commands.some((command) => environmentLoading.test(command.words.map(({ text }) => text).join(" ")))
  ) {
    for (const { output } of commands) if (output !== undefined) draft.dropped.add(output);
    draft.list.changed(
      "what loads Spack's environment is not needed: images have the view's variables",
      one.place,
    );
  } else keep(one, draft);
}

function takePackages(names: readonly string[], place: Place, draft: DockerfileDraft): void {
  if (names.length === 0) return;
  const known = names.filter((name) => /^[a-z0-9][a-z0-9.+-]*(?:=[A-Za-z0-9.+:~-]+)?$/.test(name));
  const unknown = names.filter((name) => !known.includes(name));
  draft.osPackages.push(...known);
  if (known.length > 0) draft.list.taken(`OS packages of the image: ${known.join(", ")}`, place);
  if (unknown.length > 0) draft.list.todo(`these are not names of OS packages: ${unknown.join(", ")}`, place);
}

/** COPY into the image. */
function copyFiles(one: StageInstruction, draft: DockerfileDraft): void {
  const words = one.text
    .trim()
    .split(/\s+/)
    .filter((word) => !word.startsWith("--"));
  if (/--from=/.test(one.text)) {
    if (words.slice(0, -1).every((source) => spackPaths.test(source)))
      draft.list.changed(
        `COPY --from of ${words.slice(0, -1).join(", ")}: images have the packages and the view`,
        one.place,
      );
    else
      draft.list.todo(
        `${words.slice(0, -1).join(", ")} of another stage is not in the image: make it a package, or a file beside the definition`,
        one.place,
      );
    return;
  }
  for (const source of words.slice(0, -1))
    if (!source.startsWith("<<") && !/^https?:|^git@/.test(source))
      draft.copies.push({ path: source, place: one.place });
  keep(one, draft);
}
