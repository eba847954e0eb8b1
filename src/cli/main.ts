/**
 * The process of one `cairn` command: streams, signals, exit code. Loaded by bin/main.js.
 */
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { openContext } from "./context.ts";
import { runProgram } from "./program.ts";
import { openTerminal } from "./terminal.ts";

const ROOT = join(import.meta.dirname, "..", "..");

function packageVersion(): string {
  const described = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as unknown;
  return typeof described === "object" && described !== null && "version" in described ? String(described.version) : "";
}

/** Ctrl-C ends whatever is awaited; commands clean up on their way out. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => controller.abort(128 + constants.signals[signal]));
  return controller.signal;
}

// `cairn stats | head` is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

const terminal = openTerminal(process.stdout, process.stderr, process.env);
const context = openContext({ env: process.env, terminal, root: ROOT, cwd: process.cwd(), version: packageVersion() });
process.exitCode = await runProgram(context, process.argv.slice(2), interruption());
