/** The text of a Python file with its lines. */
import type { SyntaxNode } from "@lezer/common";
import { NotUnderstood } from "../../python/problem.ts";

export class SourceText {
  private readonly text: string;
  private readonly lineStarts: readonly number[];

  constructor(text: string) {
    this.text = text;
    const starts = [0];
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
    this.lineStarts = starts;
  }

  textOf(node: { readonly from: number; readonly to: number }): string {
    return this.text.slice(node.from, node.to);
  }

  between(from: number, to: number): string {
    return this.text.slice(from, to);
  }

  /** The line in which a node begins, from 1. */
  lineOf(node: { readonly from: number }): number {
    let low = 0;
    let high = this.lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.lineStarts[middle] ?? 0) <= node.from) low = middle;
      else high = middle;
    }
    return low + 1;
  }

  /** The children of a node without comments. @throws NotUnderstood when one of them is not Python */
  childrenOf(node: SyntaxNode): readonly SyntaxNode[] {
    const children: SyntaxNode[] = [];
    for (let child = node.firstChild; child !== null; child = child.nextSibling) {
      if (child.type.isError) throw new NotUnderstood("a syntax error", this.lineOf(child));
      if (child.name !== "Comment") children.push(child);
    }
    return children;
  }
}
