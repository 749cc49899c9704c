/** The part of the check that concerns ELF files: libraries, their symbol versions, interpreters. */
import { baseName, parentPath } from "../archive/names.ts";
import type { ElfInfo } from "../elf/elfInfo.ts";
import { type LoadableFile, Loader, type Process } from "./loader.ts";
import type { Owners } from "./owners.ts";
import type { LinkageProblems } from "./problemList.ts";
import { isHostLibrary, libraryProvider, versionProvider } from "./providers.ts";
import type { LinkageInput, Severity } from "./types.ts";

/** Machines whose files an architecture runs; files of others are data. */
const machines = { amd64: [62, 3], arm64: [183] } as const;

const noLibraries: ReadonlyMap<string, LoadableFile> = new Map();

/** What the programs of one owner have in memory, and where they look. */
interface ProgramContext {
  readonly names: Map<string, LoadableFile>;
  readonly directories: Set<string>;
}

export class LibraryCheck {
  readonly #input: LinkageInput;
  readonly #owners: Owners;
  readonly #problems: LinkageProblems;
  readonly #loader: Loader;
  readonly #contexts = new Map<string, ProgramContext>();
  readonly #checkedPairs = new Map<LoadableFile, Set<LoadableFile>>();
  readonly #neededVersions = new Map<LoadableFile, readonly (readonly [string, readonly string[]])[]>();
  readonly #definedVersions = new Map<string, ReadonlySet<string>>();
  readonly #hasSpackPackage: (name: string) => boolean;
  readonly #libraries: LoadableFile[] = [];
  #byOwner: Map<string, Map<string, LoadableFile>> | undefined;

  constructor(input: LinkageInput, owners: Owners, problems: LinkageProblems) {
    this.#input = input;
    this.#owners = owners;
    this.#problems = problems;
    this.#loader = new Loader(input.tree, input.architecture, input.cache, input.libraryPath);
    this.#hasSpackPackage = input.hasSpackPackage ?? (() => false);
  }

  /** @returns how many files were checked */
  run(): { readonly programs: number; readonly libraries: number } {
    const programs: LoadableFile[] = [];
    const libraries = this.#libraries;
    const runs: ReadonlySet<number> = new Set(machines[this.#input.architecture]);
    for (const [path, entry] of this.#input.tree.entries()) {
      const facts = entry.elf;
      if (facts === undefined || entry.type !== "file" || !runs.has(facts.machine)) continue;
      if (facts.type !== "dynamic" && facts.type !== "executable") continue;
      const file = this.#loader.fileAt(path);
      if (file !== undefined) (facts.interpreter === undefined ? libraries : programs).push(file);
    }
    const loaded = new Set<string>();
    for (const program of programs) this.#checkProgram(program, loaded);
    for (const library of libraries)
      if (!loaded.has(library.identity) && library.facts.needed.length > 0) this.#checkAlone(library);
    return { programs: programs.length, libraries: libraries.length };
  }

  #checkProgram(program: LoadableFile, loaded: Set<string>): void {
    const { interpreter } = program.facts;
    if (interpreter !== undefined && this.#loader.fileAt(interpreter) === undefined)
      this.#problems.add({
        kind: "interpreter",
        severity: "error",
        file: program.identity,
        missing: interpreter,
        hint: libraryProvider(interpreter.slice(interpreter.lastIndexOf("/") + 1), this.#hasSpackPackage),
      });
    const process = this.#loader.load(program);
    for (const object of process.objects) loaded.add(object.file.identity);
    this.#remember(program, process);
    for (const { file, name } of process.unresolved) this.#reportLibrary(file, name, program, "error");
    this.#checkVersions(process, program);
  }

  #remember(program: LoadableFile, process: Process): void {
    const owner = this.#owners.ownerOf(program.identity);
    let context = this.#contexts.get(owner);
    if (context === undefined) {
      context = { names: new Map(), directories: new Set() };
      this.#contexts.set(owner, context);
    }
    for (const [name, object] of process.names)
      if (!context.names.has(name)) context.names.set(name, object.file);
    for (const directory of process.root.inherited.directories) context.directories.add(directory);
  }

  /** A library that something opens by itself. */
  #checkAlone(library: LoadableFile): void {
    const owner = this.#owners.ownerOf(library.identity);
    const severity: Severity = this.#owners.isSpack(owner) ? "error" : "warning";
    const process = this.#loader.load(library, {
      fallback: (name, by) => this.#likelyLoaded(name, by, owner),
    });
    for (const { file, name } of process.unresolved) this.#reportLibrary(file, name, library, severity);
    this.#checkVersions(process, library);
  }

  /** A library as it would be found by whatever opens libraries of this owner (see `checkLinkage`). */
  #likelyLoaded(name: string, by: LoadableFile, owner: string): LoadableFile | undefined {
    const fits = (file: LoadableFile | undefined): file is LoadableFile =>
      file !== undefined && isCompatible(file.facts, by.facts);
    for (const folder of [parentPath(by.path), parentPath(by.identity)]) {
      const beside = this.#loader.fileAt(`${folder}/${name}`);
      if (fits(beside)) return beside;
    }
    const related = this.#owners.related(owner);
    for (const other of related) {
      const context = this.#contexts.get(other);
      if (context === undefined) continue;
      const known = context.names.get(name);
      if (fits(known)) return known;
      for (const directory of context.directories) {
        const found = this.#loader.fileAt(`${directory}/${name}`);
        if (fits(found)) return found;
      }
    }
    // Libraries for programs lie in `lib`. What lies deeper is opened by something that has opened others before.
    const isPlugin = !/(^|\/)lib(32|64)?\/[^/]+$/.test(by.identity);
    for (const other of isPlugin ? related : [owner]) {
      const known = this.#librariesOf(other).get(name);
      if (fits(known)) return known;
    }
    return undefined;
  }

  /** All libraries of an owner by file name and by SONAME. */
  #librariesOf(owner: string): ReadonlyMap<string, LoadableFile> {
    if (this.#byOwner === undefined) {
      this.#byOwner = new Map();
      for (const library of this.#libraries) {
        const name = this.#owners.ownerOf(library.identity);
        let named = this.#byOwner.get(name);
        if (named === undefined) {
          named = new Map();
          this.#byOwner.set(name, named);
        }
        for (const one of [library.facts.soname, baseName(library.identity)])
          if (one !== undefined && !named.has(one)) named.set(one, library);
      }
    }
    return this.#byOwner.get(owner) ?? noLibraries;
  }

  #reportLibrary(file: LoadableFile, name: string, start: LoadableFile, severity: Severity): void {
    this.#problems.add({
      kind: "library",
      severity: isHostLibrary(name) ? "warning" : severity,
      file: file.identity,
      missing: name,
      ...(start.identity === file.identity ? {} : { program: `/${start.identity}` }),
      hint: libraryProvider(name, this.#hasSpackPackage),
    });
  }

  #checkVersions(process: Process, start: LoadableFile): void {
    for (const { file } of process.objects)
      for (const [name, versions] of this.#needs(file)) {
        const provider = process.names.get(name)?.file;
        if (provider === undefined || this.#isKnownPair(file, provider)) continue;
        const defined = this.#defined(provider);
        // A library without versions satisfies all of them; the loader only remarks on it.
        if (defined.size === 0) continue;
        for (const version of versions)
          if (!defined.has(version))
            this.#problems.add({
              kind: "version",
              severity: "error",
              file: file.identity,
              missing: version,
              library: `/${provider.identity}`,
              ...(start.identity === file.identity ? {} : { program: `/${start.identity}` }),
              hint: versionProvider(version),
            });
      }
  }

  /** Symbol versions a file needs, by library. */
  #needs(file: LoadableFile): readonly (readonly [string, readonly string[]])[] {
    let needs = this.#neededVersions.get(file);
    if (needs === undefined) {
      needs = Object.entries(file.facts.versionsNeeded);
      this.#neededVersions.set(file, needs);
    }
    return needs;
  }

  /** Whether the versions of this pair were checked before. */
  #isKnownPair(file: LoadableFile, provider: LoadableFile): boolean {
    const providers = this.#checkedPairs.get(file);
    if (providers === undefined) {
      this.#checkedPairs.set(file, new Set([provider]));
      return false;
    }
    if (providers.has(provider)) return true;
    providers.add(provider);
    return false;
  }

  #defined(provider: LoadableFile): ReadonlySet<string> {
    let defined = this.#definedVersions.get(provider.identity);
    if (defined === undefined) {
      defined = new Set(provider.facts.versionsDefined);
      this.#definedVersions.set(provider.identity, defined);
    }
    return defined;
  }
}

function isCompatible(a: ElfInfo, b: ElfInfo): boolean {
  return a.machine === b.machine && a.bits === b.bits && a.endian === b.endian;
}
