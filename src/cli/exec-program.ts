/**
 * exec and partition as people see them: options, help, examples.
 *
 * Knows: the shape of the command line. Does not know: what the commands do.
 */
import { type Command, Option } from "@commander-js/extra-typings";
import type { Context } from "./context.ts";
import { exec } from "./exec-command.ts";
import { partition } from "./partition-command.ts";
import { testTools } from "./test-tools.ts";

type AddCommand = (name: string, about: string, examples: readonly (readonly [line: string, why: string])[]) => Command;

export interface ExecProgramParts {
  readonly context: Context;
  readonly finish: (code: Promise<number>) => Promise<void>;
  readonly signal: AbortSignal;
}

export function addExec(add: AddCommand, { context, finish, signal }: ExecProgramParts): void {
  add("exec", "run any command through the cache: what it reads and writes is said before", [
    [
      "cairn exec --in src --in package.json --out dist -- npm run build",
      "a directory is all that is in it; dist is put there at once or not at all",
    ],
    [
      "cairn exec --in 'src/**/*.ts' '!src/**/*.test.ts' --env NODE_ENV -- node check.ts",
      "no output: that it went well, and what it printed, is kept",
    ],
    [
      "cairn exec --in . --dry-run -- make report",
      "what would happen, and what differs from the last time; cairn explain tells afterwards",
    ],
  ])
    .argument("<command...>", "the command and its arguments")
    .option("-i, --in <pattern...>", "files, directories or quoted patterns that it reads; none of those that begin with !")
    .option("-o, --out <path...>", "files or directories that it writes")
    .option("-e, --env <name...>", "variables that it gets; NAME, or NAME=value")
    .addOption(
      new Option("--sandbox <when>", "run it among its inputs alone; only what came of that is shared with members")
        .choices(["auto", "always", "never"] as const)
        .default("auto" as const),
    )
    .option("--network", "it needs the network, which a sandbox does not have")
    .option("--here", "run it on this machine, also while its cores are busy and one of yours would run it sooner")
    .option("--cache-failures", "keep what ended with an exit code other than 0, too")
    .option("--force", "replace output directories with all that is in them")
    .option("--tests <pattern...>", "files that take the place of {} in the command")
    .option("--partition <part>", "only this part of them, such as 1/4: see cairn partition")
    .option("--durations <file>", "how long tests took; .cairn-durations.json unless it is said")
    .option("--root <directory>", "that all inputs and outputs lie in; otherwise that of the repository")
    .option("--dry-run", "run nothing, tell what would happen")
    .option("-q, --quiet", "no closing line")
    .option("--json", "the closing line as JSON, on standard error")
    .passThroughOptions()
    .action((command, options) => finish(exec(context, command, options, signal)));

  add("partition", "print which tests of a suite one of several machines runs, by how long they took before", [
    ["vitest run $(cairn partition 1/4 --for vitest)", "the runner lists its tests; vitest, jest, pytest, go, ctest"],
    [
      "node --test $(cairn partition 1/4 'src/**/*.test.ts')",
      "the longest first, each to the part that has least to do; equal for equal durations",
    ],
    [
      "cairn partition --learn report.xml",
      "from JUnit's XML, jest or vitest --json, go test -json; into .cairn-durations.json, to be kept for the next time",
    ],
    [`ctest -R "$(cairn partition 1/4 --for ctest)"`, "CTest takes a pattern"],
  ])
    .argument("[part]", "such as 1/4")
    .argument("[tests...]", "files, or quoted patterns")
    .option("--from <file>", "tests from a file, one a line; - is standard input")
    .addOption(new Option("--for <runner>", "as this runner lists and takes them").choices(testTools))
    .option("--durations <file>", "how long tests took; .cairn-durations.json unless it is said")
    .option("--learn <report...>", "take durations from reports first")
    .option("--json", "as JSON")
    .action((part, tests, options) => finish(partition(context, part, tests, options, signal)));
}
