/** Version of the C library that this process runs with, which is the machine's: `2.36`; undefined when it is not glibc. */
export function hostGlibc(): string | undefined {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: unknown } };
  return typeof header?.glibcVersionRuntime === "string" ? header.glibcVersionRuntime : undefined;
}
