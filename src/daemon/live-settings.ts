/**
 * Settings that take effect without a restart: the file is read again when somebody says that it has changed.
 *
 * Knows: which they are. Does not know: what they mean; whoever they are for is told.
 */
import type { Config, ConfigValue } from "../base/index.ts";

const LIVE: readonly string[] = [
  "doors.http.listen",
  "doors.redis.listen",
  "doors.ccache.socket",
  "doors.grpc.listen",
  "doors.grpc.execute",
  "doors.share",
  "doors.tokenFile",
  "doors.tls.certificate",
  "doors.tls.key",
  "doors.tls.clientCa",
  "placement.pattern",
  "placement.healthCheckMs",
  "work.share",
  "work.with",
  "work.power",
  "work.when",
  "work.hours",
  "work.actions",
  "work.system",
  "work.memberSlots",
  "work.memberSeconds",
  "work.memberWhen",
];

export interface LiveSettingsParts {
  /** As the file and the environment have it now. @throws {CairnError} config-invalid */
  readonly load: () => { readonly config: Config; readonly values: readonly ConfigValue[] };
  /** Called with all settings after each reading. */
  readonly changed: (config: Config) => void;
}

export class LiveSettings {
  readonly #parts: LiveSettingsParts;
  readonly #file: string;
  #values: readonly ConfigValue[];

  /** @param options `values`: what the daemon began with */
  constructor(parts: LiveSettingsParts, options: { readonly file: string; readonly values: readonly ConfigValue[] }) {
    this.#parts = parts;
    this.#file = options.file;
    this.#values = options.values;
  }

  /** What is in force, and where it came from. */
  get values(): readonly ConfigValue[] {
    return this.#values;
  }

  /**
   * Reads the settings again.
   *
   * @returns names of those that are in force now as the file has them; a variable may stand before it
   * @throws {CairnError} config-invalid; then everything stays as it was
   */
  again(): readonly string[] {
    const { config, values } = this.#parts.load();
    this.#values = this.#values.map((before) =>
      LIVE.includes(before.name) ? (values.find(({ name }) => name === before.name) ?? before) : before,
    );
    this.#parts.changed(config);
    return this.#values.filter(({ name, origin }) => LIVE.includes(name) && origin === this.#file).map(({ name }) => name);
  }
}
