// Writes packages of one cache into another, each listed in the index at once: a process of its own, to be run beside others or
// killed. Needs what `npm run build` makes. argv: source, target, key file (or ""), scratch folder, hashes, in JSON.
import { readFileSync } from "node:fs";

const module = (path) => import(new URL(`../../build/${path}.js`, import.meta.url).href);
const { openBuildCache } = await module("buildcache/buildCache");
const { openCacheWriter } = await module("buildcache/formats/openWriter");
const { openSigningKey } = await module("openpgp/signingKey");

const [source, target, keyFile, cacheDir, hashes] = process.argv.slice(2).map((text) => JSON.parse(text));
const keysOf = ({ keys, ...rest }) => ({
  ...rest,
  keys: keys.map((name) => ({ name, content: readFileSync(name) })),
});
const emit = () => {};
const from = openBuildCache(keysOf(source), { emit, cacheDir });
const signer = keyFile === "" ? undefined : await openSigningKey(keyFile);
const to = openCacheWriter(keysOf(target), { signer }, { emit, cacheDir });
const [index] = await from.indexes();
for (const hash of hashes) {
  const found = await from.findPackage(index.spec(hash), (other) => index.spec(other));
  const content = await from.contentOf(found);
  await to.put(content);
  await to.updateIndex({ add: [content.specFile], remove: [] });
  process.stdout.write(`${hash}\n`);
}
await to.close();
await from.close();
