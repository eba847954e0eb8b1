/**
 * The commands that compile a project's units, word by word.
 */
import { execFileSync } from "node:child_process";
import type { Project } from "./projects.ts";

export interface CompileCommand {
  /** The compiler's name and its arguments. */
  readonly words: readonly string[];
  readonly cwd: string;
  /** Relative to `cwd`, or absolute. */
  readonly source: string;
  /** Relative to `cwd`. */
  readonly output: string;
}

export function compileCommands(project: Project): CompileCommand[] {
  const { argv, cwd } = project.command(undefined, 1, process.env);
  const text = execFileSync(argv[0] ?? "", [...argv.slice(1, 3), "-t", "compdb"], { cwd, encoding: "utf8", maxBuffer: 2 ** 28 });
  const wanted = new Set(project.objects);
  return (JSON.parse(text) as { command: string; file: string; output: string }[])
    .filter(({ output }) => wanted.has(output))
    .map(({ command, file, output }) => {
      const words = execFileSync("sh", ["-c", `set -- ${command}; printf '%s\\0' "$@"`], { encoding: "utf8" });
      return { words: words.split("\0").slice(0, -1), cwd, source: file, output };
    });
}
