import { graphPage } from "../../catalogue/pages/graphPage.ts";
import { writeFileAtomically } from "../../util/atomicFile.ts";
import type { ContainerExplanation } from "../explain/explainPackages.ts";
import { siteAssets } from "./siteAssets.ts";

const origins: Readonly<Record<ContainerExplanation["origin"], string>> = {
  lock: "as locked",
  caches: "as the caches have them now",
  image: "as the lock in the image says",
};

/** Writes a page with the dependency graph of a container, which needs nothing but itself. @throws {SpacktainersError} `IO` */
export async function writeGraphPage(file: string, container: ContainerExplanation): Promise<void> {
  const { name, arch, origin, roots, packages, graph } = container;
  const sizes = new Map(packages.flatMap(({ hash, size }) => (size === undefined ? [] : [[hash, size]])));
  const facts = { title: `${name} ${arch}`, origin: origins[origin], roots, graph, sizes };
  await writeFileAtomically(file, graphPage(facts, await siteAssets()));
}
