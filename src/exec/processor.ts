/**
 * What this machine's processor can do: programs choose their instructions by it, and with them how they round.
 *
 * Knows: how the kernel tells it. Does not know: who asks.
 */
import { readFile } from "node:fs/promises";

/** Undefined where the kernel does not tell. */
export async function processorHere(): Promise<string | undefined> {
  return featuresIn(await readFile("/proc/cpuinfo", "utf8").catch(() => ""));
}

/** Names of features, each once and in order: of several kinds of cores those of all. @param text of /proc/cpuinfo, on x86 or Arm */
export function featuresIn(text: string): string | undefined {
  const lines = new Set([...text.matchAll(/^(?:flags|Features)\s*:(.*)$/gm)].map(([, names = ""]) => names));
  const features = new Set([...lines].flatMap((names) => names.split(/\s+/)).filter((name) => name !== ""));
  return features.size === 0 ? undefined : [...features].toSorted().join(" ");
}
