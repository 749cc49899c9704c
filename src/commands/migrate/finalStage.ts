/** The last stage of a Dockerfile: what it does to the image itself. */
import { posix } from "node:path";
import type { Place } from "../../util/errors.ts";
import type { DockerfileDraft } from "./dockerfileDraft.ts";
import { assignments, type DockerStage, type StageInstruction } from "./dockerfileStages.ts";
import { installedPackages, sortPackages } from "./osPackages.ts";
import { copiedPath } from "./settleEpilogue.ts";
import type { ShellCommand } from "./shellCommands.ts";
import { makesPackages, spackCommandLine } from "./spackCommand.ts";
import { commandsOf, copiedWords, isHarmless, readFile, readSpack, stageFiles } from "./spackSteps.ts";

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
      commandsOf(one, variables).some((command) => {
        const line = spackCommandLine(command);
        return line !== undefined && makesPackages(line);
      }),
  );
  for (const [index, one] of instructions.entries()) {
    const isBuilding = isSpack && index <= lastSpack;
    switch (one.keyword) {
      case "RUN":
        if (isBuilding || onlyTidies(one, stage)) readMixedCommands(one, stage, draft);
        else readFinalCommands(one, stage, draft);
        break;
      case "COPY":
      case "ADD":
        if (isBuilding) {
          stageFiles(one, draft);
          nameLostFiles(one, draft);
        } else copyFiles(one, draft);
        break;
      case "ARG":
        keep(one, draft, { early: isBuilding });
        break;
      case "ENV":
        readEnvironment(one, draft);
        break;
      case "WORKDIR":
        draft.directory = posix.resolve(draft.directory, one.text.trim());
        if (spackPaths.test(draft.directory))
          draft.list.changed("WORKDIR of Spack's own folder is not needed", one.place);
        else keep(one, draft, { early: isBuilding });
        break;
      case "ENTRYPOINT":
      case "CMD":
        if (isContract(one)) draft.list.changed(`${one.keyword}: every image has it`, one.place);
        else if ([...draft.dropped].some((script) => one.text.includes(script)))
          draft.list.changed(`${one.keyword}: images start with the view's variables set`, one.place);
        else keep(one, draft);
        break;
      case "ONBUILD":
        draft.list.todo("ONBUILD does not fit into an image of packages", one.place);
        break;
      default:
        keep(one, draft);
    }
  }
}

/** A RUN of nothing but Spack that tidies up behind itself. */
function onlyTidies(one: StageInstruction, { variables }: DockerStage): boolean {
  const commands = commandsOf(one, variables);
  return (
    commands.length > 0 &&
    commands.every((command) => /^(?:clean|gc)$/.test(spackCommandLine(command)?.verb ?? ""))
  );
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
function keep(
  one: StageInstruction,
  draft: DockerfileDraft,
  more: {
    readonly early?: boolean;
    readonly copies?: readonly string[];
    readonly target?: string;
    readonly stage?: DockerStage;
    readonly source?: readonly string[];
  } = {},
): void {
  draft.epilogue.push({
    keyword: one.keyword,
    source: more.source ?? one.source,
    place: one.place,
    directory: draft.directory,
    commands: more.stage === undefined ? [] : commandsOf(one, more.stage.variables),
    copies: more.copies ?? [],
    target: more.target,
    early: more.early ?? false,
  });
}

/** Variables that are about Spack itself are not needed. */
function readEnvironment(one: StageInstruction, draft: DockerfileDraft): void {
  const isSpack = (text: string): boolean => /SPACK|spack|\/opt\/views?\b|CMAKE_PREFIX_PATH/.test(text);
  if (!isSpack(one.text)) {
    keep(one, draft);
    return;
  }
  draft.list.changed(
    "ENV about Spack or its view is not needed: images have the view's variables",
    one.place,
  );
  const others = assignments(one.text).filter(({ source }) => !isSpack(source));
  if (others.length > 0) keep(one, draft, { source: others.map(({ source }) => `ENV ${source}`) });
}

/** A RUN of a stage in which Spack is run, before it is done: packages of the OS may be for building or for the image. */
function readMixedCommands(one: StageInstruction, stage: DockerStage, draft: DockerfileDraft): void {
  for (const command of commandsOf(one, stage.variables)) {
    const place = one.placeAt(command.words[0]?.at ?? 0);
    if (readSpack(command, one, draft)) continue;
    if (readFile(command, one, draft)) {
      nameWritten(command, place, draft);
      continue;
    }
    const installed = installedPackages(command);
    if (installed !== undefined) {
      const { run, build } = sortPackages(installed);
      takePackages(run, place, draft);
      if (build.length > 0) draft.buildPackages.push({ names: build, place });
      continue;
    }
    // Spack itself is unpacked, and put where it is called.
    if (/spack/.test(one.text) && /^(?:tar|mv|ln|unzip|gunzip)$/.test(command.words[0]?.text ?? "")) continue;
    nameLeftOut(command, one, draft);
  }
}

/** A file that a RUN of the build writes: a manifest is read afterwards, others are in no image. */
function nameWritten({ output = "" }: ShellCommand, place: Place, draft: DockerfileDraft): void {
  if (/(?:^|\/)spack\.yaml$|^\/dev\/|^\/etc\/apt\//.test(output)) return;
  const path = posix.resolve(draft.directory, output);
  const file = draft.files.get(path);
  if (draft.dropped.has(output) || (file?.kind === "text" && environmentLoading.test(file.content))) return;
  if (draft.lost.some((lost) => lost.path === path)) return;
  draft.list.todo(
    `${output} is written while Spack builds, and is not in the image: where it needs the file, write it in Dockerfile.epilogue`,
    place,
  );
  draft.lost.push({ path, place });
}

/** A command of a RUN that is not taken as a whole. */
function nameLeftOut(command: ShellCommand, one: StageInstruction, draft: DockerfileDraft): void {
  const [first, second] = command.words;
  const writes = command.output !== undefined && !command.output.startsWith("/dev/");
  if (first === undefined || (isHarmless(first.text) && !writes) || second?.text === "--version") return;
  draft.list.todo(
    `this command is left out: ${command.words
      .map(({ text }) => text)
      .join(" ")
      .slice(0, 100)}; where the image needs it, write it into Dockerfile.epilogue`,
    one.placeAt(first.at),
  );
}

/** A RUN after Spack is done: packages of the OS go to the base, the rest into the epilogue as it stands. */
function readFinalCommands(one: StageInstruction, stage: DockerStage, draft: DockerfileDraft): void {
  const commands = commandsOf(one, stage.variables);
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
  else if (commands.some((command) => environmentLoading.test(textOf(command)))) {
    for (const command of commands)
      if (command.output !== undefined && environmentLoading.test(textOf(command)))
        draft.dropped.add(command.output);
    draft.list.changed(
      "commands that load Spack's environment are not needed: images have the view's variables",
      one.place,
    );
    // What it was loaded for is another matter.
    for (const command of commands)
      if (!draft.dropped.has(command.output ?? "") && !environmentLoading.test(textOf(command)))
        nameLeftOut(command, one, draft);
  } else keep(one, draft, { stage });
}

function textOf({ words }: ShellCommand): string {
  return words.map(({ text }) => text).join(" ");
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
  const { sources, target } = copiedWords(one);
  if (/--from=/.test(one.text)) {
    if (sources.every((source) => spackPaths.test(source)))
      draft.list.changed(
        `COPY --from of ${sources.join(", ")}: images have the packages and the view`,
        one.place,
      );
    else {
      draft.list.todo(
        `${sources.join(", ")} of another stage is not in the image: make it a package, or a file next to the definition`,
        one.place,
      );
      lose(sources, target, one.place, draft);
    }
    return;
  }
  const copies = sources.filter((source) => !source.startsWith("<<") && !/^https?:|^git@/.test(source));
  keep(one, draft, { copies, target: absolute(target, draft) });
}

/** COPY into a build that goes on in the last stage: whether the image needs the files afterwards is not known. */
function nameLostFiles(one: StageInstruction, draft: DockerfileDraft): void {
  const { sources, target } = copiedWords(one);
  const others = sources.filter(
    (source) => !source.startsWith("<<") && !/(?:^|\/)spack\.(?:yaml|lock|\*)$/.test(source),
  );
  if (others.length === 0 || /--from=/.test(one.text)) return;
  draft.list.todo(
    `${others.join(", ")} is not in the image, since it came before Spack was done: where the image needs it, put it next to the definition, and COPY into Dockerfile.epilogue`,
    one.place,
  );
  lose(others, target, one.place, draft);
}

function lose(sources: readonly string[], target: string, place: Place, draft: DockerfileDraft): void {
  for (const source of sources) draft.lost.push({ path: copiedPath(source, absolute(target, draft)), place });
}

/** With the `/` that makes it a folder. */
function absolute(target: string, { directory }: DockerfileDraft): string {
  const path = posix.resolve(directory, target);
  return /(?:^|\/)\.{0,2}\/?$/.test(target) && path !== "/" ? `${path}/` : path;
}
