// @ts-check
// Builds the image of a container and writes it as an OCI layout, with a line for each package on the way.
import { openSpacktainers, resultsOrThrow } from "spacktainers";

const [directory = ".", name = "", output = ""] = process.argv.slice(2);
const spacktainers = openSpacktainers({
  directory,
  cacheDirectory: "cache",
  emit(event) {
    if (event.type === "task-end" && event.id.startsWith("install:")) console.log(event.id, event.outcome);
  },
});

const { errors } = await spacktainers.check({ names: [name] });
for (const { code, message } of errors) console.error(code, message);
if (errors.length > 0) process.exit(1);
const [image] = resultsOrThrow(await spacktainers.build({ names: [name], outputs: [`oci:${output}`] }));
console.log(image?.name, image?.version, image?.digest);
