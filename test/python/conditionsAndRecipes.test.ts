import { describe, expect, it } from "vitest";
import { evaluatePython } from "../../src/environment/python/evaluate.ts";
import { reprOf } from "../../src/environment/python/values.ts";
import { ExpressionEvaluator } from "../../src/recipes/expressions.ts";
import { readPython } from "../../src/recipes/python/readPython.ts";
import { moduleScope } from "../../src/recipes/scope.ts";
import { quoted } from "../../src/recipes/values.ts";
import { recordedValues } from "./recordedValues.ts";

class Evaluator extends ExpressionEvaluator {
  functionValue(): never {
    throw new Error("there are no functions here");
  }
  superOf(): never {
    throw new Error("there are no classes here");
  }
}

function ofCondition(expression: string): string {
  return reprOf(evaluatePython(expression, new Map()));
}

function ofRecipe(expression: string): string {
  const [statement] = readPython(`x = ${expression}`);
  if (statement?.kind !== "assign") throw new Error(`\`${expression}\` is not a value`);
  const lookup = (name: string) => {
    throw new Error(`there is no ${name}`);
  };
  return quoted(
    new Evaluator().evaluate(statement.value, moduleScope({ recipe: "test", names: new Map(), lookup })),
  );
}

/** Operators that recipes do not use with numbers. */
const refusedOfRecipes = /\*\*|[|^&~]/;

describe("Python in conditions and in recipes", () => {
  it.each(recordedValues)("%s", (expression, value) => {
    if (value === null) {
      expect(() => ofCondition(expression)).toThrow();
      expect(() => ofRecipe(expression)).toThrow();
      return;
    }
    expect(ofCondition(expression)).toBe(value);
    if (refusedOfRecipes.test(expression)) expect(() => ofRecipe(expression)).toThrow();
    else expect(ofRecipe(expression)).toBe(value);
  });
});
