/** What recipes do to the environment of those who run their packages: asked of the recipes, nothing executed. */

import { locate, NotUnderstood, PythonException } from "../python/problem.ts";
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";
import type { ClassValue } from "./classes.ts";
import { InstanceValue } from "./instance.ts";
import type { ModuleScope } from "./moduleScope.ts";
import { RecipeLibrary } from "./recipeLibrary.ts";
import type { RecipeModification } from "./recipeModification.ts";
import { EnvironmentValue } from "./spackEnvironment.ts";
import { PackageValue, queriedAttribute } from "./spackPackage.ts";
import { SpecValue } from "./spackSpec.ts";
import { type ObjectValue, prefix, type Value } from "./values.ts";
import type { RecipeWorld } from "./world.ts";

/** What a recipe does that is not understood, or that fails. */
export interface RecipeProblem {
  /** The package whose environment lacks something. */
  readonly spec: ConcreteSpec;
  /** The recipe in which it stands, and the line; 0 if the line is unknown. */
  readonly recipe: string;
  readonly line: number;
  /** What is not understood, or the message of the exception. */
  readonly reason: string;
  /** Spack itself would fail here. */
  readonly raised: boolean;
}

/** What one method of a recipe does. */
export interface RecipeEffect {
  readonly modifications: readonly RecipeModification[];
  readonly problems: readonly RecipeProblem[];
}

const nothing: RecipeEffect = { modifications: [], problems: [] };

export class RecipeEnvironment {
  private readonly world: RecipeWorld;
  private readonly library: RecipeLibrary;
  private readonly packages = new Map<DagHash, PackageValue | NotUnderstood>();
  private readonly extras = new Map<DagHash, ReadonlyMap<string, Value> | "busy">();
  /** What is not understood of how an object of a package begins. */
  private readonly beginnings = new Map<DagHash, readonly NotUnderstood[]>();
  private problems: NotUnderstood[] = [];
  private current: ConcreteSpec | undefined;

  constructor(world: RecipeWorld) {
    this.world = world;
    this.library = new RecipeLibrary(world, {
      injected: (module, name) => this.injected(module, name),
      superOf: (owner, self) => this.superOf(owner, self),
      onProblem: (problem) => this.problems.push(problem),
    });
  }

  /** What `setup_run_environment` of a package does. */
  own(spec: ConcreteSpec): RecipeEffect {
    return this.effect(spec, "setup_run_environment", []);
  }

  /** What `setup_dependent_run_environment` of a package does for one that depends on it. */
  forDependent(spec: ConcreteSpec, dependent: ConcreteSpec): RecipeEffect {
    return this.effect(spec, "setup_dependent_run_environment", [this.specOf(dependent)]);
  }

  private effect(spec: ConcreteSpec, method: string, more: readonly Value[]): RecipeEffect {
    // Most recipes have neither method: they need not be read for that.
    if (!this.mayHave(spec.name, method, new Set())) return nothing;
    const environment = new EnvironmentValue();
    this.problems = [];
    this.current = spec;
    this.library.interpreter.restart();
    let failure: PythonException | undefined;
    try {
      const callee = this.packageOf(spec).attribute(method);
      if (callee !== undefined)
        this.library.interpreter.callValue(callee, { values: [environment, ...more], named: new Map() });
    } catch (thrown) {
      if (thrown instanceof NotUnderstood) this.problems.push(thrown);
      // With conditions of which none holds, the method is that of all packages, which does nothing.
      else if (thrown instanceof PythonException) failure = thrown;
      else throw thrown;
    }
    const problems = [...new Set([...(this.beginnings.get(spec.hash) ?? []), ...this.problems])].map(
      (problem) => described(spec, problem, false),
    );
    if (failure !== undefined) problems.push(described(spec, failure, true));
    return { modifications: environment.modifications, problems };
  }

  /** Whether the text of a recipe, or of one that it imports, mentions a method. */
  private mayHave(name: string, method: string, seen: Set<string>): boolean {
    if (seen.has(name)) return false;
    seen.add(name);
    const text = this.world.recipeOf(name);
    if (text === undefined) return false;
    if (text.includes(method) || /\bIntelOneApi\w*Package/.test(text)) return true;
    for (const [, folder = ""] of text.matchAll(/\b(?:spack_repo\.\w+\.packages|spack\.pkg\.\w+)\.(\w+)/g)) {
      const other = folder.replace(/^_(?=\d)/, "").replaceAll("_", "-");
      if (this.world.recipeOf(other) === undefined || this.mayHave(other, method, seen)) return true;
    }
    return false;
  }

  private packageOf(spec: ConcreteSpec): PackageValue {
    let found = this.packages.get(spec.hash);
    if (found === undefined) {
      const before = this.problems;
      this.problems = [];
      try {
        found = new PackageValue(spec, this.library.packageClass(spec.name), {
          world: this.world,
          specOf: (other) => this.specOf(other),
        });
        this.packages.set(spec.hash, found);
        this.begin(found);
      } catch (thrown) {
        if (!(thrown instanceof NotUnderstood)) throw thrown;
        found = thrown;
      }
      this.packages.set(spec.hash, found);
      this.beginnings.set(spec.hash, this.problems);
      this.problems = before;
    }
    if (found instanceof NotUnderstood) throw found;
    return found;
  }

  /** Calls `__init__` where a recipe has one. @throws NotUnderstood */
  private begin(made: PackageValue): void {
    const init = made.attribute("__init__");
    if (init === undefined) return;
    try {
      this.library.interpreter.callValue(init, { values: [], named: new Map() });
    } catch (thrown) {
      if (!(thrown instanceof PythonException)) throw thrown;
      throw new NotUnderstood(thrown.message);
    }
  }

  private specOf(spec: ConcreteSpec): SpecValue {
    return new SpecValue(spec, {
      world: this.world,
      packageOf: (other) => this.packageOf(other),
      queried: (asked, what) => queriedAttribute((other) => this.packageOf(other), this.world, asked, what),
    });
  }

  private superOf(owner: ClassValue, self: Value): ObjectValue {
    if (!(self instanceof PackageValue || self instanceof InstanceValue))
      throw new NotUnderstood("`super()` of this");
    const order = self.class.resolution();
    const after = order.slice(order.indexOf(owner) + 1);
    return { kind: "object", type: "super", attribute: (name) => self.member(name, after) };
  }

  /** The package whose file a name is looked up in: the one that is asked, or the last one of that recipe. */
  private packageFor(module: ModuleScope): ConcreteSpec | undefined {
    const { current } = this;
    if (current !== undefined) {
      const found = this.packages.get(current.hash);
      const modules =
        found instanceof PackageValue ? found.class.resolution().map((each) => each.module) : [];
      if (modules.includes(module)) return current;
    }
    return this.world.order.findLast((spec) => spec.name === module.recipe);
  }

  /** Names that Spack puts into the file of a recipe. */
  private injected(module: ModuleScope, name: string): Value | undefined {
    const spec = this.packageFor(module);
    if (spec === undefined) return undefined;
    if (name === "prefix") return prefix(this.specOf(spec).prefix());
    const extras = this.extras.get(spec.hash) ?? this.namesFor(spec);
    if (extras === "busy") throw new NotUnderstood(`the name \`${name}\`, which another recipe sets`);
    return extras.get(name);
  }

  /** What the dependencies of a package put into its file by `setup_dependent_package`. */
  private namesFor(spec: ConcreteSpec): ReadonlyMap<string, Value> {
    this.extras.set(spec.hash, "busy");
    const names = new Map<string, Value>();
    const target: ObjectValue = {
      kind: "object",
      type: "module",
      attribute: (name) => names.get(name),
      setAttribute: (name, value) => void names.set(name, value),
    };
    const before = this.problems;
    this.problems = [];
    for (const dependency of this.world.order) {
      if (!spec.dependencies.some((edge) => edge.hash === dependency.hash)) continue;
      if (!this.mayHave(dependency.name, "setup_dependent_package", new Set())) continue;
      try {
        const callee = this.packageOf(dependency).attribute("setup_dependent_package");
        if (callee !== undefined)
          this.library.interpreter.callValue(callee, {
            values: [target, this.specOf(spec)],
            named: new Map(),
          });
      } catch (thrown) {
        // A name that is missing for this is a problem where it is used.
        if (!(thrown instanceof NotUnderstood || thrown instanceof PythonException)) throw thrown;
      }
    }
    this.problems = before;
    this.extras.set(spec.hash, names);
    return names;
  }
}

function described(
  spec: ConcreteSpec,
  problem: NotUnderstood | PythonException,
  raised: boolean,
): RecipeProblem {
  locate(problem, spec.name, 0);
  const { recipe, line } = problem.place;
  return { spec, recipe, line, reason: problem.message, raised };
}
