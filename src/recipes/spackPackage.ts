/** Packages as values of recipes: what their classes say, and what Spack gives to all of them. */

import { NotUnderstood, PythonException } from "../python/problem.ts";
import type { ConcreteSpec } from "../spec/concrete.ts";
import { buildSystemClasses, unknownAttributes } from "./buildSystems.ts";
import type { ClassValue, Extension, Variant } from "./classes.ts";
import { joinPath } from "./expressions.ts";
import { boundMember } from "./instance.ts";
import { interpreterAttribute } from "./interpreters.ts";
import { FileListValue } from "./libraryList.ts";
import { executable, findHeaders, findLibraries } from "./spackFunctions.ts";
import { SpecValue } from "./spackSpec.ts";
import { isObject, native, type ObjectValue, plain, prefix, type Value, word } from "./values.ts";
import type { RecipeWorld } from "./world.ts";

/** Methods that do nothing unless a class says otherwise. */
const doNothing: ReadonlySet<string> = new Set([
  "setup_run_environment",
  "setup_dependent_run_environment",
  "setup_dependent_package",
  "__init__",
]);

/** What a package needs of the others. */
export interface PackageContext {
  readonly world: RecipeWorld;
  readonly specOf: (spec: ConcreteSpec) => SpecValue;
}

export class PackageValue implements ObjectValue {
  readonly kind = "object";
  readonly type: string;
  readonly spec: ConcreteSpec;
  readonly class: ClassValue;
  private readonly own = new Map<string, Value>();
  private readonly context: PackageContext;

  constructor(spec: ConcreteSpec, itsClass: ClassValue, context: PackageContext) {
    this.spec = spec;
    this.class = itsClass;
    this.type = itsClass.name;
    this.context = context;
  }

  setAttribute(name: string, value: Value): void {
    this.own.set(name, value);
  }

  /** `self["zlib"]`: the package of a dependency. */
  item(index: Value): Value {
    const found = this.context.specOf(this.spec).item(index);
    const value = isObject(found) ? found.attribute?.("package") : undefined;
    if (value === undefined) throw new NotUnderstood("a package of a dependency");
    return value;
  }

  attribute(name: string): Value | undefined {
    const own = this.own.get(name);
    if (own !== undefined) return own;
    const interpreted = this.interpreted(name);
    return interpreted === undefined ? this.member(name, this.class.resolution()) : interpreted;
  }

  private interpreted(name: string): Value | undefined {
    const path = this.context.world.prefixOf(this.spec);
    return path === undefined ? undefined : interpreterAttribute(this.context.world, this.spec, path, name);
  }

  /** An attribute of the first of these classes that has it, else of Spack's own. @throws NotUnderstood */
  member(name: string, classes: readonly ClassValue[]): Value | undefined {
    for (const [index, each] of classes.entries()) {
      if (each.missing !== undefined)
        throw new NotUnderstood(`the class ${each.missing}, which is not at hand`);
      const member = each.members.get(name);
      if (member === undefined) {
        const value = this.ofBuildSystem(each, name);
        if (value !== undefined) return value;
        continue;
      }
      const bound = boundMember(member, each, this, (variants) => this.chosen(variants));
      if (bound !== undefined) return bound;
      // None of its conditions holds: as if the class did not have it, but it is there.
      const next = this.member(name, classes.slice(index + 1));
      if (next !== undefined) return next;
      throw new PythonException("NoSuchMethodError", `no method ${name} for this spec`);
    }
    return this.ofPackageBase(name);
  }

  private ofBuildSystem(each: ClassValue, name: string): Value | undefined {
    if (each.module !== undefined || !Object.hasOwn(buildSystemClasses, each.name)) return undefined;
    const description = buildSystemClasses[each.name];
    const make =
      description?.members !== undefined && Object.hasOwn(description.members, name)
        ? description.members[name]
        : undefined;
    if (make !== undefined) return make(this.prefix());
    if (each.name === "CompilerPackage" && /^(?:cc|cxx|fortran)$/.test(name)) return this.compiler(name);
    if (name === "setup_run_environment" && description?.environmentWhen !== undefined) {
      const condition = description.environmentWhen;
      return native(name, () => {
        if (this.context.specOf(this.spec).satisfies(condition))
          throw new NotUnderstood(`what scripts of ${each.name} do: scripts are not run`);
        return null;
      });
    }
    return undefined;
  }

  /** The path of a compiler: of one that Spack built, its recipe says it. */
  private compiler(language: string): Value {
    if (this.spec.external !== undefined) throw new NotUnderstood(`\`${language}\` of an external compiler`);
    const path = this.attribute(`_${language}_path`);
    if (path === undefined || !isObject(path) || path.call === undefined)
      throw new NotUnderstood(`\`${language}\` of a compiler`);
    return path.call({ values: [], named: new Map() });
  }

  private chosen(variants: readonly Variant[]): Variant | undefined {
    const spec = this.context.specOf(this.spec);
    return (
      variants.find(
        ({ when }) => when !== undefined && when !== false && (when === "" || spec.satisfies(when)),
      ) ?? variants.find(({ when }) => when === undefined)
    );
  }

  private prefix(): string {
    return this.context.specOf(this.spec).prefix();
  }

  private ofPackageBase(name: string): Value | undefined {
    switch (name) {
      case "spec":
        return this.context.specOf(this.spec);
      case "name":
      case "fullname":
      case "version":
        return this.context.specOf(this.spec).attribute(name);
      case "namespace":
        return this.spec.namespace ?? null;
      case "prefix":
      case "home":
        return prefix(this.prefix());
      case "run_tests":
        return false;
      case "command": {
        const path = joinPath(this.prefix(), `bin/${this.spec.name}`);
        if (this.context.world.files.kindOf(path) !== "file")
          throw new PythonException("RuntimeError", `Unable to locate ${this.spec.name} command`);
        return executable(path);
      }
      case "extends":
        return plain(name, 1, 1, (other = null) => {
          if (!isObject(other) || !(other instanceof SpecValue)) throw new NotUnderstood("`extends` of this");
          return this.extendee()?.node.hash === other.node.hash;
        });
      case "is_extension":
        return this.extendee() !== undefined;
      case "extendee_spec":
        return this.extendee() ?? null;
      case "__class__":
        return this.class;
      default:
        if (doNothing.has(name)) return native(name, () => null);
        if (unknownAttributes.has(name)) throw new NotUnderstood(`\`${name}\` of a package`);
        return undefined;
    }
  }

  /** The direct dependency that it extends. @throws NotUnderstood where a base class is not at hand */
  private extendee(): SpecValue | undefined {
    const spec = this.context.specOf(this.spec);
    const extensions = new Map<string, Extension>();
    for (const each of [...this.class.resolution()].reverse()) {
      if (each.missing !== undefined)
        throw new NotUnderstood(`the class ${each.missing}, which is not at hand`);
      // One declaration for each name: that of the class nearest to the package.
      for (const extension of each.extensions)
        extensions.set(/^[\w-]+/.exec(extension.spec)?.[0] ?? extension.spec, extension);
    }
    for (const dependency of spec.direct(new Set(["link", "run"])))
      for (const { spec: wanted, when } of extensions.values())
        if (dependency.satisfies(wanted) && when.every((condition) => this.holds(spec, condition)))
          return dependency;
    return undefined;
  }

  /** Specs of the time before build systems had a name are those of the only one that their class has. */
  private holds(spec: SpecValue, condition: string): boolean {
    if (condition.startsWith("build_system=") && !this.spec.variants.has("build_system")) return true;
    return spec.satisfies(condition);
  }
}

/** `libs`, `headers`, `command` and `home` of a dependency, as Spack looks for them. @throws NotUnderstood, PythonException */
export function queriedAttribute(
  packageOf: (spec: ConcreteSpec) => PackageValue,
  world: RecipeWorld,
  spec: SpecValue,
  what: "libs" | "headers" | "command" | "home",
): Value {
  // Python's program is the one of the virtual environment, where there is one.
  const venv =
    what === "command" && spec.node.name === "python"
      ? spec.parent
          ?.direct(new Set(["build", "link", "run", "test"]))
          .find((one) => one.node.name === "python-venv")
      : undefined;
  const of = packageOf((venv ?? spec).node);
  const names = spec.virtual ? [`${spec.query}_${what}`, what] : [what];
  for (const name of names) {
    if (name === "libs" || name === "headers") {
      const fixed = listOfBuildSystem(of, name);
      if (fixed !== undefined) return fixed;
      if (!of.class.resolution().some((each) => each.members.has(name) || each.missing !== undefined))
        continue;
    }
    try {
      const value = of.attribute(name);
      if (value !== undefined && value !== null) return value;
      if (value === null) throw new PythonException("AttributeFailure", `the query for ${what} failed`);
    } catch (thrown) {
      if (!(thrown instanceof PythonException && thrown.type === "AttributeError")) throw thrown;
    }
  }
  const home = word(of.attribute("home") ?? null);
  if (what === "headers") {
    const found = findHeaders(world.files, ["*"], joinPath(home, "include"), true);
    if (found.truth()) return found;
    throw new PythonException("NoHeadersError", `Unable to locate ${spec.node.name} headers in ${home}`);
  }
  if (what !== "libs") throw new PythonException("AttributeError", `there is no ${what}`);
  const stem = spec.node.name.replaceAll("-", "?");
  const name = stem.startsWith("lib") ? stem : `lib${stem}`;
  const kinds = spec.satisfies("+shared") ? [true] : spec.satisfies("~shared") ? [false] : [true, false];
  for (const shared of kinds) {
    const found = findLibraries(world.files, [name], { root: home, shared, recursive: true });
    if (found.truth()) return found;
  }
  throw new PythonException(
    "NoLibrariesError",
    `Unable to recursively locate ${spec.node.name} libraries in ${home}`,
  );
}

function listOfBuildSystem(of: PackageValue, name: "libs" | "headers"): Value | undefined {
  for (const each of of.class.resolution()) {
    if (each.members.has(name)) return undefined;
    if (each.module !== undefined) continue;
    if (each.name === "PythonPackage")
      return new FileListValue(name === "libs" ? "LibraryList" : "HeaderList", []);
    if (each.name.startsWith("IntelOneApi"))
      throw new NotUnderstood(`\`${name}\` of a package of ${each.name}`);
  }
  return undefined;
}
