/**
 * What a unit of a kind costs on this machine: what is in the middle of the newest, so that one that takes a hundred times as long as others of its
 * kind changes nothing.
 *
 * Knows: times by kind. Does not know: what else a kind is good for.
 */
import { limits } from "../base/index.ts";

const { costMost, costsRecent, kindCharacters, kindsMost } = limits.placement.measured;

export class Costs {
  /** By kind, those that were seen last at the end; of each the newest at the end. */
  readonly #kinds = new Map<string, readonly number[]>();

  observe(kind: string, costMs: number): void {
    const name = nameOf(kind);
    const before = this.#kinds.get(name) ?? [];
    this.#kinds.delete(name);
    this.#kinds.set(name, [...before, Math.min(costMs, costMost)].slice(-costsRecent));
    const [eldest = ""] = this.#kinds.keys();
    if (this.#kinds.size > kindsMost) this.#kinds.delete(eldest);
  }

  /** The median, ms; undefined: none of the kind has been seen. */
  usual(kind: string): number | undefined {
    const sorted = (this.#kinds.get(nameOf(kind)) ?? []).toSorted((a, b) => a - b);
    const [lower, upper] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]];
    return lower === undefined || upper === undefined ? undefined : (lower + upper) / 2;
  }

  /** For {@link restore}: a kind and its times, each. */
  save(): readonly (readonly [kind: string, ...costsMs: number[]])[] {
    return [...this.#kinds].map(([kind, costs]) => [kind, ...costs.map((cost) => Number(cost.toPrecision(4)))]);
  }

  /** Takes back what {@link save} said; what makes no sense is left out. */
  restore(saved: readonly unknown[]): void {
    for (const row of saved) {
      if (!Array.isArray(row)) continue;
      const [kind, ...costs] = row as readonly unknown[];
      if (typeof kind === "string") for (const cost of costs) if (isTime(cost)) this.observe(kind, cost);
    }
  }
}

function nameOf(kind: string): string {
  return kind.slice(0, kindCharacters);
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
