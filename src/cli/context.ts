/**
 * What every command is given.
 */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { type Environment, type Home, homeFrom } from "../base/index.ts";
import { type Control, ControlClient } from "./control.ts";
import { harmlessJson } from "./format.ts";
import type { Terminal } from "./terminal.ts";

export interface Context {
  readonly env: Environment;
  readonly home: Home;
  readonly terminal: Terminal;
  readonly control: Control;
  /** Directory of the package or checkout: bin/, client/ and this code are below it. */
  readonly root: string;
  readonly cwd: string;
  readonly version: string;
}

/** A person waits; longer than any healthy daemon needs, even while it tidies. */
const ANSWER_DEADLINE_MS = 5_000;

export function openContext(parts: { env: Environment; terminal: Terminal; root: string; cwd: string; version: string }): Context {
  const env = withWholeHome(parts.env, parts.cwd);
  const home = homeFrom(env, homedir());
  const control = new ControlClient({ socket: join(home.runDir, "control.sock"), deadlineMs: ANSWER_DEADLINE_MS });
  return { ...parts, env, home, control };
}

/** A relative CAIRN_HOME is meant from here, also by a daemon and by compilers, which run in other directories. */
export function withWholeHome(env: Environment, cwd: string): Environment {
  const root = env.CAIRN_HOME;
  return root === undefined || root === "" ? env : { ...env, CAIRN_HOME: resolve(cwd, root) };
}

/** Prints `value` as JSON, or `lines` for people. */
export function answer(terminal: Terminal, json: boolean | undefined, value: unknown, lines: () => readonly string[]): void {
  terminal.out(json === true ? harmlessJson(value) : lines().join("\n"));
}
