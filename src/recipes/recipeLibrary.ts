/** The recipes at hand: their files, classes and names, read when they are needed first. */

import { NotUnderstood, PythonException } from "../python/problem.ts";
import type { Dialect } from "../spec/dialect.ts";
import { dialectOf } from "../spec/format.ts";
import { familyOf } from "../spec/microarchitecture.ts";
import { buildSystemClasses } from "./buildSystems.ts";
import { builtin } from "./builtins.ts";
import { ClassBodyReader } from "./classBody.ts";
import { ClassValue, isClass } from "./classes.ts";
import { makeInstance } from "./instance.ts";
import { Interpreter, type Library } from "./interpreter.ts";
import type { ModuleScope } from "./moduleScope.ts";
import { readPython } from "./python/readPython.ts";
import type { Statement } from "./python/tree.ts";
import { pythonModule } from "./pythonModules.ts";
import { moduleScope, type NameScope } from "./scope.ts";
import { EnvironmentValue } from "./spackEnvironment.ts";
import { spackName } from "./spackFunctions.ts";
import { isObject, type ObjectValue, type Value } from "./values.ts";
import type { RecipeWorld } from "./world.ts";

/** Name of the package whose recipe lies in a folder: `py_numpy` → `py-numpy`, `_7zip` → `7zip`. */
export function packageOfFolder(folder: string): string {
  return folder.replace(/^_(?=\d)/, "").replaceAll("_", "-");
}

/** Name of a package's class: `py-numpy` → `PyNumpy`, `7zip` → `_7zip`. */
export function classNameOf(name: string): string {
  const joined = name
    .split(/[-_]+/)
    .map((part) => part.slice(0, 1).toUpperCase() + part.slice(1))
    .join("");
  return /^\d/.test(joined) ? `_${joined}` : joined;
}

/** What a name of a recipe is that the recipe does not define; undefined when nobody does. */
export type InjectedName = (module: ModuleScope, name: string) => Value | undefined;

/** What `super()` and packages need of each other. */
export interface LibraryHooks {
  readonly injected: InjectedName;
  readonly superOf: (owner: ClassValue, self: Value) => Value;
  readonly onProblem: (problem: NotUnderstood) => void;
}

export class RecipeLibrary implements Library {
  readonly world: RecipeWorld;
  readonly interpreter: Interpreter;
  private readonly hooks: LibraryHooks;
  private readonly modules = new Map<string, ModuleScope | NotUnderstood>();
  private readonly systemClasses = new Map<string, ClassValue>();

  constructor(world: RecipeWorld, hooks: LibraryHooks) {
    this.world = world;
    this.hooks = hooks;
    this.interpreter = new Interpreter(
      this,
      hooks.onProblem,
      (value) => isObject(value) && value instanceof EnvironmentValue,
    );
  }

  /** The class of a package. @throws NotUnderstood when its recipe is not at hand or has no such class */
  packageClass(name: string): ClassValue {
    const module = this.module(name);
    const wanted = classNameOf(name);
    for (const [key, value] of module.names)
      if (isClass(value) && (key === wanted || key.toLowerCase() === wanted.toLowerCase())) return value;
    throw new NotUnderstood(`the recipe of ${name} has no class ${wanted}`);
  }

  /** The file of a recipe. @throws NotUnderstood when it is not at hand */
  module(name: string): ModuleScope {
    let found = this.modules.get(name);
    if (found === undefined) {
      // For a recipe that imports itself, through others or not.
      this.modules.set(name, new NotUnderstood(`the recipe of ${name}, which needs itself`));
      try {
        found = this.load(name);
      } catch (thrown) {
        if (!(thrown instanceof NotUnderstood || thrown instanceof PythonException)) throw thrown;
        found = new NotUnderstood(`the recipe of ${name}: ${thrown.message}`, thrown.place.line);
        found.place.recipe = name;
      }
      this.modules.set(name, found);
    }
    if (found instanceof NotUnderstood) throw found;
    return found;
  }

  private load(name: string): ModuleScope {
    const text = this.world.recipeOf(name);
    if (text === undefined) throw new NotUnderstood("it is not in any archive");
    const names = new Map<string, Value>();
    const module: ModuleScope = { recipe: name, names, lookup: (wanted) => this.lookup(module, wanted) };
    this.interpreter.statements(readPython(text), moduleScope(module));
    return module;
  }

  private dialect(): Dialect {
    const [spec] = this.world.order;
    return spec === undefined ? "1.x" : dialectOf(spec.specfileVersion);
  }

  /** A name that a file does not define. @throws NotUnderstood, PythonException */
  private lookup(module: ModuleScope, name: string): Value {
    const value =
      builtin(name, (of, attribute) => this.interpreter.attribute(of, attribute)) ??
      this.spackOrSystem(name) ??
      this.hooks.injected(module, name);
    if (value === undefined) throw new NotUnderstood(`the name \`${name}\``);
    return value;
  }

  private spackOrSystem(name: string): Value | undefined {
    return this.systemClass(name) ?? spackName(name, this.world.files, this.dialect());
  }

  /** A class of a build system. */
  private systemClass(name: string): ClassValue | undefined {
    const description = Object.hasOwn(buildSystemClasses, name) ? buildSystemClasses[name] : undefined;
    if (description === undefined) return undefined;
    let made = this.systemClasses.get(name);
    if (made === undefined) {
      made = new ClassValue(
        name,
        description.bases.flatMap((base) => this.systemClass(base) ?? []),
      );
      for (const [spec, when] of description.extends ?? [])
        made.extensions.push({ spec, when: when === undefined ? [] : [when] });
      this.systemClasses.set(name, made);
    }
    return made;
  }

  imported(module: string, name: string | undefined): Value {
    const recipe =
      /^spack_repo\.\w+\.packages\.(\w+)(?:\.package)?$/.exec(module)?.[1] ??
      /^spack\.pkg\.\w+\.(\w+)$/.exec(module)?.[1];
    if (recipe !== undefined) {
      const scope = this.module(packageOfFolder(recipe));
      if (name === undefined || name === "package") return moduleObject(scope);
      const value = scope.names.get(name);
      if (value === undefined)
        throw new NotUnderstood(`\`${name}\` of the recipe of ${packageOfFolder(recipe)}`);
      return value;
    }
    if (name !== undefined && /^(?:spack|llnl|spack_repo)(?:\.|$)/.test(module)) {
      const value =
        this.spackOrSystem(name) ?? pythonModule(`${module}.${name}`, this.world.files, this.family());
      if (value !== undefined) return value;
    }
    const whole = pythonModule(module, this.world.files, this.family());
    if (whole === undefined) {
      if (name === undefined && module === "spack") return this.spackPackage("spack");
      throw new NotUnderstood(`the module \`${module}\``);
    }
    return name === undefined ? whole : this.interpreter.attribute(whole, name);
  }

  /** `spack.util.environment.EnvironmentModifications`, written out. */
  private spackPackage(path: string): ObjectValue {
    return {
      kind: "object",
      type: "module",
      attribute: (name) =>
        this.spackOrSystem(name) ??
        pythonModule(`${path}.${name}`, this.world.files, this.family()) ??
        this.spackPackage(`${path}.${name}`),
      call: () => {
        throw new NotUnderstood(`\`${path}\``);
      },
    };
  }

  private family(): string {
    const [spec] = this.world.order;
    return familyOf(spec?.target ?? "x86_64");
  }

  classOf(statement: Extract<Statement, { kind: "class" }>, scope: NameScope): Value {
    const bases = statement.bases.flatMap((expression): ClassValue[] => {
      const name = expression.kind === "name" ? expression.name : "of another file";
      try {
        const value = this.interpreter.evaluate(expression, scope);
        if (isClass(value)) return [value];
      } catch (thrown) {
        if (!(thrown instanceof NotUnderstood || thrown instanceof PythonException)) throw thrown;
      }
      return [new ClassValue(name, [], { missing: name })];
    });
    const made = new ClassValue(statement.name, bases, { module: scope.module, make: makeInstance });
    new ClassBodyReader(made, this.interpreter).read(statement.body, scope);
    return made;
  }

  superOf(owner: ClassValue, self: Value): Value {
    return this.hooks.superOf(owner, self);
  }
}

function moduleObject(scope: ModuleScope): ObjectValue {
  return {
    kind: "object",
    type: "module",
    attribute: (name) => {
      const value = scope.names.get(name);
      if (value === undefined) throw new NotUnderstood(`\`${name}\` of the recipe of ${scope.recipe}`);
      return value;
    },
  };
}
