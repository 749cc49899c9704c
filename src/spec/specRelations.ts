/**
 * Satisfies and intersects for specs with their dependencies, by the rules of each dialect, with the knowledge about
 * virtual packages passed in.
 */
import type { AbstractSpec } from "./abstract.ts";
import type { DependencyType } from "./concrete.ts";
import { nodeAnswer, nodeIntersects, nodeSatisfies } from "./nodeRelations.ts";
import { reaches, reachesByName } from "./reaches.ts";
import {
  allEdges,
  allNodes,
  type EdgeFrom,
  type EdgeView,
  edgeHasType,
  edgesBelow,
  hashBeginsWith,
  type ProvidedVirtual,
  type Relation,
  type SpecView,
} from "./specView.ts";
import { anyVersion, isAnyVersion, parseVersionSet } from "./versions.ts";

const linkRun: readonly DependencyType[] = ["link", "run"];

/** True if everything that `a` can be is allowed by `b`, dependencies included. */
export function specSatisfies(a: SpecView, b: SpecView, relation: Relation): boolean {
  const root = nodeAnswer(a, b, relation);
  if (root !== "yes") return root === "provider";
  if (b.dependencies.length === 0) return true;
  return relation.dialect === "0.x" ? oldDependencies(a, b, relation) : newDependencies(a, b, relation);
}

function isVirtual(spec: SpecView, relation: Relation): boolean {
  return spec.name !== undefined && relation.virtuals.isVirtual(spec.name);
}

/** What the edge asks for, together with the virtual package that it names as its dependency. */
function wantedVirtuals(edge: EdgeView, relation: Relation): readonly string[] {
  const { name } = edge.spec;
  if (name === undefined || !isVirtual(edge.spec, relation) || edge.virtuals.includes(name))
    return edge.virtuals;
  return [...edge.virtuals, name];
}

function answersTo(edge: EdgeView, name: string | undefined): boolean {
  return edge.spec.name === name || (name !== undefined && edge.virtuals.includes(name));
}

/**
 * True if the edge leads to what is asked for. The edge of a concrete spec that carries a virtual package proves that
 * its package provides it, whether or not the recipe is known.
 */
function leadsTo(
  edge: EdgeView,
  wanted: SpecView,
  relation: Relation,
  relate: (a: SpecView, b: SpecView, relation: Relation) => boolean,
): boolean {
  const { name, hash } = wanted;
  const { concrete } = edge.spec;
  const carried =
    concrete !== undefined && name !== undefined && edge.virtuals.includes(name) && concrete.name !== name;
  if (!carried) return relate(edge.spec, wanted, relation);
  if (hash !== undefined && !hashBeginsWith(edge.spec, hash)) return false;
  if (isAnyVersion(wanted.versions)) return true;
  const known = relation.virtuals.provided?.(concrete.name)?.some(({ virtual }) => virtual.name === name);
  return known === true ? relate(edge.spec, wanted, relation) : true;
}

/** 0.x: each dependency asked for is met by some node; virtual packages by the edges that carry them. */
function oldDependencies(a: SpecView, b: SpecView, relation: Relation): boolean {
  if (a.dependencies.length === 0) return false;
  const wanted = allEdges(b);
  const isCarried = ({ edge }: EdgeFrom): boolean =>
    wantedVirtuals(edge, relation).every((virtual) =>
      reachesByName(
        a,
        { wanted: edge, relation, question: `virtual ${virtual}` },
        (each) => answersTo(each, edge.spec.name) && each.virtuals.includes(virtual),
      ),
    );
  return (
    wanted.every(isCarried) &&
    wanted.every(({ edge }) =>
      reaches(a, undefined, { wanted: edge, relation, question: "any" }, (each) =>
        leadsTo(each, edge.spec, relation, nodeSatisfies),
      ),
    )
  );
}

/** The node that `spec[name]` gives in Spack: the root or a dependency, by name or by a virtual package of its edge. */
export function lookup(root: SpecView, name: string | undefined, relation: Relation): SpecView | undefined {
  const direct = (types: readonly DependencyType[]) =>
    root.dependencies.find((edge) => edgeHasType(edge, types) && answersTo(edge, name))?.spec;
  const below = (types?: readonly DependencyType[]): SpecView | undefined => {
    for (const { edge } of edgesBelow(root, types)) if (answersTo(edge, name)) return edge.spec;
    return undefined;
  };
  if (relation.dialect === "0.x") {
    if (root.name === name) return root;
    return below(["link"]) ?? direct(["build", "run", "test"]) ?? below();
  }
  return direct(["build", "test"]) ?? (root.name === name ? root : below(linkRun));
}

/** 1.x: each edge asked for is met by an edge. */
function newDependencies(a: SpecView, b: SpecView, relation: Relation): boolean {
  for (const wanted of allEdges(b)) {
    if (!conditionApplies(a, wanted, relation)) continue;
    if (wanted.edge.direct) {
      if (!directSatisfies(a, wanted, relation)) return false;
      continue;
    }
    if (!transitiveSatisfies(a, wanted.edge, relation)) return false;
  }
  return true;
}

/** False if the condition of an edge cannot hold for the node from which the edge starts. */
function conditionApplies(a: SpecView, { parent, edge }: EdgeFrom, relation: Relation): boolean {
  if (edge.when === undefined) return true;
  const tested = parent.name === undefined || parent.name === a.name ? a : lookup(a, parent.name, relation);
  return tested === undefined || specIntersects(tested, edge.when, relation);
}

function transitiveSatisfies(a: SpecView, wanted: EdgeView, relation: Relation): boolean {
  const { name } = wanted.spec;
  const isNamed = (edge: EdgeView): boolean =>
    name === undefined || (answersTo(edge, name) && conditionSatisfies(wanted.when, edge.when, relation));
  return (
    reachesByName(
      a,
      { wanted, relation, question: "named" },
      (edge) => isNamed(edge) && leadsTo(edge, wanted.spec, relation, nodeSatisfies),
    ) &&
    wantedVirtuals(wanted, relation).every((virtual) =>
      reachesByName(
        a,
        { wanted, relation, question: `virtual ${virtual}` },
        (edge) => isNamed(edge) && edge.virtuals.includes(virtual),
      ),
    )
  );
}

function conditionSatisfies(
  a: AbstractSpec | undefined,
  b: AbstractSpec | undefined,
  relation: Relation,
): boolean {
  if (b === undefined) return true;
  return specSatisfies(a ?? anything(relation), b, relation);
}

function anything(relation: Relation): SpecView {
  return {
    name: undefined,
    namespace: undefined,
    versions: anyVersion(relation.dialect),
    compiler: undefined,
    variants: new Map(),
    flags: new Map(),
    arch: undefined,
    hash: undefined,
    dependencies: [],
  };
}

/**
 * The compiler as a spec, for nodes that have none among their dependencies: written before Spack 1.0, or external.
 * `null` when nothing is known of it; undefined when the dependencies of the node tell.
 */
function recordedCompiler(node: SpecView, relation: Relation): SpecView | null | undefined {
  const { concrete } = node;
  if (concrete === undefined) return undefined;
  const original = concrete.annotations?.originalSpecfileVersion ?? concrete.specfileVersion;
  if (original >= 5 && (concrete.external === undefined || concrete.dependencies.length > 0))
    return undefined;
  if (node.compiler !== undefined) return { ...anything(relation), ...node.compiler };
  const text = concrete.annotations?.compiler;
  if (text === undefined) return null;
  const at = text.indexOf("@");
  if (at < 0) return { ...anything(relation), name: text };
  const versions = parseVersionSet(text.slice(at + 1), relation.dialect);
  return { ...anything(relation), name: text.slice(0, at), versions };
}

/** A `%` edge: met by a direct dependency of the node from which it starts. */
function directSatisfies(a: SpecView, { parent, edge }: EdgeFrom, relation: Relation): boolean {
  const { name } = edge.spec;
  const node = parent.name === undefined || parent.name === name ? a : lookup(a, parent.name, relation);
  if (node === undefined) return false;
  const compiler = recordedCompiler(node, relation);
  if (compiler === null) return false;
  if (compiler !== undefined) return specSatisfies(compiler, edge.spec, relation);
  const virtuals = wantedVirtuals(edge, relation);
  const anyName = name === undefined || isVirtual(edge.spec, relation);
  return node.dependencies.some((candidate) => {
    if (!anyName && !answersTo(candidate, name)) return false;
    if (virtuals.length > 0 && !virtuals.some((virtual) => candidate.virtuals.includes(virtual)))
      return false;
    for (const type of edge.types) if (!candidate.types.has(type)) return false;
    return (
      conditionSatisfies(edge.when, candidate.when, relation) &&
      leadsTo(candidate, edge.spec, relation, specSatisfies)
    );
  });
}

/** True if there can be a spec that both allow, dependencies included. */
export function specIntersects(a: SpecView, b: SpecView, relation: Relation): boolean {
  if (a.concrete !== undefined) return specSatisfies(a, b, relation);
  if (b.concrete !== undefined) return specSatisfies(b, a, relation);
  if (!nodeIntersects(a, b, relation)) return false;
  // A provider and the virtual package it provides are not compared any further.
  if (a.name !== b.name && a.name !== undefined && b.name !== undefined) return true;
  return dependenciesIntersect(a, b, relation);
}

/** The part of {@link specIntersects} that looks at dependencies. */
export function dependenciesIntersect(a: SpecView, b: SpecView, relation: Relation): boolean {
  if (a.dependencies.length === 0 || b.dependencies.length === 0) return true;
  const old = relation.dialect === "0.x";
  const names = (spec: SpecView) =>
    new Set(
      old
        ? allNodes(spec)
            .slice(1)
            .map((node) => node.name)
        : spec.dependencies.map((edge) => edge.spec.name),
    );
  const others = names(b);
  for (const name of names(a)) {
    if (!others.has(name)) continue;
    const left = lookup(a, name, relation);
    const right = lookup(b, name, relation);
    if (left === undefined || right === undefined) continue;
    // A package that depends on its own name: these two are being compared already.
    if (left === a && right === b) continue;
    if (!(old ? nodeIntersects(left, right, relation) : specIntersects(left, right, relation))) return false;
  }
  return providersFit(a, b, relation) && providersFit(b, a, relation);
}

/** False if a virtual package in `a` asks for what no provider in `b` of that virtual package can give. */
function providersFit(a: SpecView, b: SpecView, relation: Relation): boolean {
  for (const node of allNodes(a)) {
    if (!isVirtual(node, relation)) continue;
    const offers: ProvidedVirtual[] = [];
    for (const provider of allNodes(b)) {
      if (provider.name === undefined || isVirtual(provider, relation)) continue;
      for (const offer of relation.virtuals.provided?.(provider.name) ?? [])
        if (offer.virtual.name === node.name && nodeIntersects(provider, offer.when, relation))
          offers.push(offer);
    }
    if (offers.length > 0 && !offers.some(({ virtual }) => nodeIntersects(virtual, node, relation)))
      return false;
  }
  return true;
}
