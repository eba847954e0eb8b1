/**
 * General actions between members: by which name what is installed here goes, and whether members may have any program run.
 *
 * Such an action reads what is installed on the machine, and machines on which different things are installed make different things of it. Which
 * of them are alike their operators say, by giving them one name; nothing here can tell. Knows: settings. Does not know: actions.
 */
import { type Config, type Digest, digestOf } from "../base/index.ts";
import type { ExecutorAction, GeneralAction } from "../contracts/index.ts";

export type GeneralSettings = Pick<Config, "workActions" | "workSystem">;

export class GeneralWork {
  #settings: GeneralSettings;

  constructor(settings: GeneralSettings) {
    this.#settings = settings;
  }

  follow(settings: GeneralSettings): void {
    this.#settings = settings;
  }

  /** What members must have as well for this machine's actions; undefined: they stay here. */
  get system(): Digest | undefined {
    const { workSystem } = this.#settings;
    return workSystem === "" ? undefined : digestOf(`cairn system\0${process.platform}\0${process.arch}\0${workSystem}`);
  }

  /** For people: by which name members' actions find this machine; undefined: none are run. */
  get offeredName(): string | undefined {
    return this.offered === undefined ? undefined : this.#settings.workSystem;
  }

  /** Whether the owner lets members have any program run. */
  get isOn(): boolean {
    return this.#settings.workActions === "on";
  }

  /** What members' actions find here, by its name; undefined: none are run by it. */
  get offered(): Digest | undefined {
    return this.isOn ? this.system : undefined;
  }
}

/** What is to be run: beside what is installed here. */
export function executorAction(asked: GeneralAction): ExecutorAction {
  const { program, arguments: words, environment, cwd, inputs, directories, work, limits } = asked;
  const action = { program, arguments: words, environment, cwd, inputs, directories, work, limits };
  return { ...action, toolchain: undefined, outputs: [], usesSystem: true };
}
