/**
 * Projects in which `cairn exec` runs commands, and what it says of them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkout, run, type TestNode, writeFiles } from "./harness.ts";

export interface Told {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The closing line. */
  readonly said: Record<string, unknown>;
  readonly all: string;
}

export class Project {
  readonly path: string;
  readonly #node: TestNode;

  constructor(node: TestNode, name: string) {
    this.#node = node;
    this.path = join(dirname(node.home), name);
    writeFiles(this.path, { ".git/HEAD": "", "src/a.txt": "hello\n", "src/b.txt": "world\n", "secret.txt": "not declared\n" });
  }

  write(file: string, content: string): void {
    writeFiles(this.path, { [file]: content });
  }

  read(file: string): string {
    return readFileSync(join(this.path, file), "utf8");
  }

  async exec(...args: string[]): Promise<Told> {
    const ran = await run(join(checkout, "bin/cairn"), ["exec", "--json", ...args], { cwd: this.path, env: this.#node.env });
    const lines = ran.stderr.trimEnd().split("\n");
    const last = lines.pop() ?? "";
    const said = last.startsWith("{") ? (JSON.parse(last) as Record<string, unknown>) : {};
    return { ...ran, stderr: lines.join("\n"), said, all: ran.stdout + ran.stderr };
  }

  /** Outputs that are half there, or were. */
  leftovers(): string[] {
    return readdirSync(this.path, { recursive: true, encoding: "utf8" }).filter((name) => name.includes(".cairn-"));
  }
}

export async function hasSandbox(node: TestNode): Promise<boolean> {
  const checks = (await node.control("GET", "/doctor")) as unknown as readonly { readonly check: string; readonly detail: string }[];
  return checks.some(({ check, detail }) => check === "sandbox" && detail.startsWith("runs"));
}
