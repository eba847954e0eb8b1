/**
 * The benchmarks' own small C programs (bench/native/) and the compiler wrapper, built by the system's compiler.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const checkout: string = join(import.meta.dirname, "..");

/** Paths of built programs. */
export interface Native {
  readonly meter: string;
  readonly load: string;
  readonly floor: string;
  readonly delay: string;
  readonly wrapper: string;
}

let built: Native | undefined;

/** Builds them once a process; they are gone when it ends. */
export function buildNative(): Native {
  if (built !== undefined) return built;
  const directory = mkdtempSync(join(tmpdir(), "cairn-bench-native-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const source = (name: string): string => join(import.meta.dirname, "native", `${name}.c`);
  const target = (name: string): string => join(directory, name);
  const cc = (...args: string[]): void => void execFileSync("cc", args, { stdio: ["ignore", "inherit", "inherit"] });
  for (const name of ["meter", "load", "delay"]) cc("-O2", "-Wall", "-o", target(name), source(name));
  const withoutLibrary = ["x64", "arm64"].includes(process.arch) ? ["-nostdlib", "-fno-pie"] : [];
  cc("-static", ...withoutLibrary, "-s", "-o", target("floor"), source("floor"));
  execFileSync("sh", [join(checkout, "client/build.sh"), target("cairn-cc")], { stdio: ["ignore", "inherit", "inherit"] });
  built = { meter: target("meter"), load: target("load"), floor: target("floor"), delay: target("delay"), wrapper: target("cairn-cc") };
  return built;
}
