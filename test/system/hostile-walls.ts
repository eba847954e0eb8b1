/**
 * Takes one wall of the sandbox away, by a `bwrap` that leaves it out and calls the real one: so that it can be seen which attacks the
 * corpus would notice. The product has no such switch.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const walls = ["net", "pid", "ipc", "userns", "filter", "landlock", "readonly", "mounts", "session"] as const;
export type Wall = (typeof walls)[number];

const LOAD_NUMBER = [0x20, 0, 0, 0];
const LANDLOCK_CREATE_RULESET = 444;
const ALLOW = 0x7fff0000;
const ENOSYS = 0x00050026;

/** BPF: code, jump if true, jump if false, k. */
function filter(...instructions: readonly (readonly number[])[]): Buffer {
  const bytes = Buffer.alloc(instructions.length * 8);
  instructions.forEach(([code = 0, yes = 0, no = 0, k = 0], at) => {
    bytes.writeUInt16LE(code, at * 8);
    bytes.writeUInt8(yes, at * 8 + 2);
    bytes.writeUInt8(no, at * 8 + 3);
    bytes.writeUInt32LE(k, at * 8 + 4);
  });
  return bytes;
}

/**
 * @param bait a directory that is laid open where `mounts` are missing
 * @returns the directory in which bwrap is to be looked for
 */
export function withoutWall(wall: Wall, directory: string, bait: string): string {
  const real = execFileSync("sh", ["-c", "command -v bwrap"], { encoding: "utf8" }).trim();
  const open = join(directory, "open.bpf");
  const blind = join(directory, "blind.bpf");
  writeFileSync(open, filter([0x06, 0, 0, ALLOW]), { mode: 0o644 });
  const asked = [0x15, 0, 1, LANDLOCK_CREATE_RULESET];
  writeFileSync(blind, filter(LOAD_NUMBER, asked, [0x06, 0, 0, ENOSYS], [0x06, 0, 0, ALLOW]), { mode: 0o644 });
  const [changes, before] = changesFor(wall, { open, blind, bait });
  // The first look is at a root that has no place for the bait.
  const unless = wall === "mounts" ? `for word; do [ "$word" = walls ] && exec ${real} "$@"; done\n` : "";
  const script = `#!/bin/sh
${unless}left=$#
while [ "$left" -gt 0 ]; do
  word=$1
  shift
  case $word in
${changes}    *) set -- "$@" "$word" ;;
  esac
  left=$((left - 1))
done
${before}exec ${real} "$@"
`;
  writeFileSync(join(directory, "bwrap"), script);
  chmodSync(join(directory, "bwrap"), 0o755);
  return directory;
}

function changesFor(wall: Wall, { open, blind, bait }: { open: string; blind: string; bait: string }): [changes: string, before: string] {
  const drop = (...words: string[]): string => `    ${words.join(" | ")}) ;;\n`;
  switch (wall) {
    case "net":
      return [drop("--unshare-net"), ""];
    case "pid":
      return [drop("--unshare-pid", "--as-pid-1"), ""];
    case "ipc":
      return [drop("--unshare-ipc"), ""];
    case "userns":
      return [drop("--disable-userns"), ""];
    case "session":
      return [drop("--new-session"), ""];
    case "filter":
      return ["", `exec 3<${open}\n`];
    case "landlock":
      return ['    --seccomp) set -- "$@" --add-seccomp-fd 9 --add-seccomp-fd ;;\n', `exec 9<${blind}\n`];
    case "readonly":
      return ['    --ro-bind) set -- "$@" --bind ;;\n', ""];
    case "mounts":
      return [`    --clearenv) set -- "$@" --bind ${bait} ${bait} --clearenv ;;\n`, ""];
  }
}
