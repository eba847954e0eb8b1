/**
 * The daemon's process: starts what compose.ts builds, and ends it when told to.
 */
import { flushCompileCache } from "node:module";
import { homedir } from "node:os";
import { CairnError, homeFrom, lineLog, loadConfig } from "../base/index.ts";
import { compose } from "./compose.ts";

const EXIT = { failed: 1, alreadyRunning: 3 } as const;

process.umask(0o077);
const home = homeFrom(process.env, homedir());
try {
  const { config } = loadConfig(home.configFile, process.env);
  const log = lineLog((line) => process.stderr.write(line), config.logLevel, Date.now);
  const ended = Promise.withResolvers<string>();
  const daemon = await compose({ log, env: process.env, end: ended.resolve }, home);
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => ended.resolve(signal));
  process.on("unhandledRejection", (error) =>
    log.event("error", "unhandled", { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
  // Compiled code is kept now and not at the end: a daemon that is killed has none, and the next would take four times as long to start.
  flushCompileCache();
  log.event("info", "daemon.listening", { pid: process.pid, home: home.runDir });
  const why = await ended.promise;
  log.event("info", "daemon.ending", { why });
  await daemon[Symbol.asyncDispose]();
  process.exit(0);
} catch (error) {
  if (!(error instanceof CairnError)) throw error;
  // One line that the command line can turn into words.
  process.stderr.write(
    `${JSON.stringify({ at: new Date().toISOString(), level: "error", event: "daemon.failed", code: error.code, ...error.facts })}\n`,
  );
  process.exit(error.code === "daemon-running" ? EXIT.alreadyRunning : EXIT.failed);
}
