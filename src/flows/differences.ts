/**
 * How a request differs from what is known: the answer to "why did this miss?", as data.
 */
export interface Difference {
  readonly kind: "option" | "input" | "environment" | "compiler" | "directory" | "terminal" | "appeared" | "missing" | "blob";
  readonly name: string;
  readonly before?: string;
  readonly after?: string;
}

/** Enough for a person; the rest is counted by nobody. */
export const mostDifferences = 12;

/** Options, environment and compiler of two requests for the same source. */
export interface Described {
  readonly compiler: string;
  readonly toolchain: string;
  readonly keyArgs: readonly string[];
  readonly environment: readonly string[];
  readonly cwd: string;
}

/** What changed between two requests; empty when they ask for the same. */
export function describeDifferences(before: Described, after: Described): Difference[] {
  const found: Difference[] = [];
  if (before.toolchain !== after.toolchain)
    found.push({ kind: "compiler", name: after.compiler, before: before.compiler, after: after.compiler });
  found.push(...listDifferences("option", before.keyArgs, after.keyArgs));
  found.push(...listDifferences("environment", before.environment, after.environment));
  return found.slice(0, mostDifferences);
}

function listDifferences(kind: "option" | "environment", before: readonly string[], after: readonly string[]): Difference[] {
  const gone = subtract(before, after);
  const come = subtract(after, before);
  const found: Difference[] = [...gone.map((name) => ({ kind, name, before: name })), ...come.map((name) => ({ kind, name, after: name }))];
  if (found.length === 0 && before.some((item, i) => item !== after[i])) found.push({ kind, name: "(order)" });
  return found;
}

/** `a` without `b`, counting repeats. */
function subtract(a: readonly string[], b: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const item of b) counts.set(item, (counts.get(item) ?? 0) + 1);
  return a.filter((item) => {
    const count = counts.get(item) ?? 0;
    if (count > 0) counts.set(item, count - 1);
    return count === 0;
  });
}
