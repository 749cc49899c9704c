import { NotUnderstood } from "../python/problem.ts";
import type { ConcreteSpec } from "../spec/concrete.ts";

/** `spec.format(FORMAT)` for the parts that paths are made of. @throws NotUnderstood for others */
export function formatSpecText(node: ConcreteSpec, format: string): string {
  return format.replace(/\\?\{([^}]*)\}|\$\{[^}]*\}/g, (whole, field?: string) => {
    const [, name = "", length] = /^\/?([a-z_.]+)(?::(\d+))?$/.exec(field ?? "") ?? [];
    if (whole.startsWith("\\") || field === undefined) throw new NotUnderstood(`the format \`${format}\``);
    if (length === undefined && name === "name") return node.name;
    if (length === undefined && name === "version") return node.version;
    if (length === undefined && (name === "platform" || name === "architecture.platform"))
      return node.platform;
    if (length === undefined && (name === "os" || name === "architecture.os")) return node.os;
    if (length === undefined && (name === "target" || name === "architecture.target")) return node.target;
    if (length === undefined && name === "architecture") return `${node.platform}-${node.os}-${node.target}`;
    if (name === "hash")
      return (
        (field.startsWith("/") ? "/" : "") +
        node.hash.slice(0, length === undefined ? undefined : Number(length))
      );
    throw new NotUnderstood(`the format \`${format}\``);
  });
}
