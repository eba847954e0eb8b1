/**
 * Daemon: configuration, composition root, start and stop.
 */
export { compose, type DaemonParts } from "./compose.ts";
export { type Config, type ConfigValue, loadConfig } from "./config.ts";
