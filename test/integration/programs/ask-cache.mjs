// @ts-check
// Asks which packages of a build cache satisfy a spec, and what would be installed for it.
import { openCaches, packagesSatisfying, readKeyFile } from "spacktainers/buildcache";
import { choosePackages, formatConcrete, parseSpec, satisfies } from "spacktainers/spec";

const [url = "", key = "", wanted = ""] = process.argv.slice(2);
const caches = openCaches([{ url, keys: [await readKeyFile(key)] }], { cacheDirectory: "cache" });
try {
  const index = await caches.index();
  const dialect = index.generation ?? "1.x";
  for (const spec of packagesSatisfying(index, wanted)) {
    const { digest } = await caches.findPackage(spec);
    console.log(formatConcrete(spec), digest);
  }
  const { packages } = choosePackages([wanted], index, { target: "x86_64" });
  console.log("installs", packages.map((spec) => spec.name).join(" "));
  console.log(satisfies(parseSpec(wanted, { dialect }), parseSpec("mpich@4:", { dialect }), { dialect }));
} finally {
  await caches.close();
}
