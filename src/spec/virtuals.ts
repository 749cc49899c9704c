/** Virtual packages (`mpi`, `blas`, `c`, …) as Spack's own recipes know them. */
import type { Dialect } from "./abstract.ts";
import { newProviders, oldProviders, providers } from "./data/providers.ts";
import { parseSpec } from "./parse.ts";
import type { ProvidedVirtual, VirtualKnowledge } from "./specView.ts";

class BuiltinVirtuals implements VirtualKnowledge {
  private readonly dialect: Dialect;
  private readonly offers: ReadonlyMap<string, readonly string[]>;
  private readonly byVirtual = new Map<string, Set<string>>();
  private readonly parsed = new Map<string, readonly ProvidedVirtual[]>();

  constructor(dialect: Dialect) {
    this.dialect = dialect;
    const own = dialect === "0.x" ? oldProviders : newProviders;
    this.offers = new Map([...Object.entries(providers), ...Object.entries(own)]);
    for (const [name, offers] of this.offers)
      for (const offer of offers) {
        const [virtual = ""] = /^[\w-]+/.exec(offer) ?? [];
        const known = this.byVirtual.get(virtual);
        if (known === undefined) this.byVirtual.set(virtual, new Set([name]));
        else known.add(name);
      }
  }

  isVirtual(name: string): boolean {
    return this.byVirtual.has(name);
  }

  provides(name: string, virtual: string): boolean {
    return this.byVirtual.get(virtual)?.has(name) ?? false;
  }

  providersOf(virtual: string): readonly string[] {
    return [...(this.byVirtual.get(virtual) ?? [])];
  }

  provided(name: string): readonly ProvidedVirtual[] | undefined {
    const offers = this.offers.get(name);
    if (offers === undefined) return undefined;
    const known = this.parsed.get(name);
    if (known !== undefined) return known;
    const { dialect } = this;
    const parsed = offers.map((offer) => {
      const [virtual = "", when = ""] = offer.split(" when ");
      return { virtual: parseSpec(virtual, { dialect }), when: parseSpec(when, { dialect }) };
    });
    this.parsed.set(name, parsed);
    return parsed;
  }
}

const made = new Map<Dialect, VirtualKnowledge>();

/** What the recipes of the Spack generation that speaks the dialect say about virtual packages. */
export function builtinVirtuals(dialect: Dialect): VirtualKnowledge {
  let known = made.get(dialect);
  if (known === undefined) {
    known = new BuiltinVirtuals(dialect);
    made.set(dialect, known);
  }
  return known;
}
