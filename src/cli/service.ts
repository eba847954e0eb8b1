/**
 * A systemd user unit for the daemon. Only the file is written: enabling it is the person's own decision.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { CairnError, systemCode } from "../base/index.ts";
import type { Context } from "./context.ts";

export interface Service {
  readonly unit: string;
  readonly commands: readonly string[];
}

/** The variables that decide where a home is. */
const HOME_VARIABLES = ["CAIRN_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] as const;

export function installService(context: Context): Service {
  const { env, root } = context;
  const config = env.XDG_CONFIG_HOME?.startsWith("/") ? env.XDG_CONFIG_HOME : join(homedir(), ".config");
  const unit = join(config, "systemd/user/cairn.service");
  const settings = HOME_VARIABLES.flatMap((name) => (env[name] ? [[name, env[name]] as const] : []));
  const text = unitText(join(root, "bin/cairn"), [["CAIRN_NODE", process.execPath], ...settings]);
  try {
    mkdirSync(dirname(unit), { recursive: true });
    writeFileSync(unit, text);
  } catch (error) {
    throw new CairnError("home-unwritable", { path: unit, system: systemCode(error) ?? "" }, error);
  }
  return { unit, commands: ["systemctl --user daemon-reload", "systemctl --user enable --now cairn.service"] };
}

/** A daemon that finds another one on its home ends with code 3: starting it again would not help. */
function unitText(command: string, environment: readonly (readonly [string, string])[]): string {
  return [
    "[Unit]",
    "Description=Cairn, a compiler cache",
    "StartLimitIntervalSec=300",
    "StartLimitBurst=5",
    "",
    "[Service]",
    "Type=exec",
    ...environment.map(([name, value]) => `Environment=${escape(`${name}=${value}`)}`),
    `ExecStart=${escape(command)} up --foreground`,
    "Restart=on-failure",
    "RestartPreventExitStatus=3",
    "RestartSec=5",
    "UMask=0077",
    "",
    "[Install]",
    "WantedBy=default.target",
    "",
  ].join("\n");
}

/** systemd.syntax(7): quotes and backslashes are escaped; % and $ would be expanded. */
function escape(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%").replaceAll("$", "$$$$")}"`;
}
