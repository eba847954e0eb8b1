/**
 * put, get and ls as people see them: options, help, examples.
 *
 * Knows: the shape of the command line. Does not know: what the commands do.
 */
import type { Command } from "@commander-js/extra-typings";
import type { Context } from "./context.ts";
import { getTree, listTree, putTree } from "./tree-commands.ts";

type AddCommand = (name: string, about: string, examples: readonly (readonly [line: string, why: string])[]) => Command;

export interface TreeProgramParts {
  readonly context: Context;
  readonly finish: (code: Promise<number>) => Promise<void>;
  readonly signal: AbortSignal;
}

export function addTrees(add: AddCommand, { context, finish, signal }: TreeProgramParts): void {
  add("put", "keep a file or a directory, and print its CID", [
    ["cairn put build/app.tar", "other members get it with cairn get, once they know the CID"],
    ['cairn pin "$(cairn put dist)"', "so that it stays, however full the store is"],
  ])
    .argument("<path>", "a file, or a directory with all that is in it")
    .option("--json", "as JSON")
    .action((path, options) => finish(putTree(context, path, options, signal)));

  add("get", "bring a file or a directory from wherever in the network it is", [
    ["cairn get bafyrei… dist", "what cairn put has printed; what is here already is not fetched again"],
    ["cairn get latest app", "what members call so: cairn name publish latest CID"],
    ["cairn get bafyrei…/bin/app app", "only that"],
  ])
    .argument("<root>", "a CID, 64 digits of a blob, or a name; perhaps with a path below it")
    .argument("<path>", "where it is put")
    .option("--force", "replace what is there")
    .option("--json", "as JSON")
    .action((root, path, options) => finish(getTree(context, root, path, options, signal)));

  add("ls", "list a directory that was put", [["cairn ls bafyrei…/bin", "modes, sizes, CIDs, names"]])
    .argument("<root>", "a CID or a name; perhaps with a path below it")
    .option("--json", "as JSON")
    .action((root, options) => finish(listTree(context, root, options, signal)));
}
