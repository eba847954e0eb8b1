/**
 * What people ask about work for others, and changes of how much there may be, which take effect at once.
 */
import type { WorkControls } from "../doors/index.ts";
import type { GeneralSettings, GeneralWork } from "./general-work.ts";
import type { ShareOptions, WorkShare } from "./work-share.ts";
import type { Worker } from "./worker.ts";

export interface ShareControlsParts {
  readonly share: WorkShare;
  readonly worker: Worker;
  readonly general: Pick<GeneralWork, "follow" | "offeredName" | "isOn">;
  /** Has what the file and the environment say by now told to {@link ShareControls.follow}. @throws {CairnError} config-invalid */
  readonly readAgain: () => void;
}

export class ShareControls implements WorkControls {
  readonly #parts: ShareControlsParts;

  constructor(parts: ShareControlsParts) {
    this.#parts = parts;
  }

  async view(): Promise<unknown> {
    await this.#parts.worker.look();
    return this.now;
  }

  again(): Promise<unknown> {
    this.#parts.readAgain();
    return this.view();
  }

  /** What holds from now on. */
  follow({ workShare, workPower, workWhen, workHours, workActions, workSystem }: ShareOptions & GeneralSettings): void {
    const { share, worker, general } = this.#parts;
    general.follow({ workActions, workSystem });
    share.set({ workShare, workPower, workWhen, workHours });
    worker.changed();
  }

  /** Without a look at what this machine can. */
  get now(): object {
    const { share, worker, general } = this.#parts;
    const { workShare, workPower, workWhen, workHours } = share.options;
    const rule = { percent: workShare, power: workPower, when: workWhen, hours: workHours };
    return {
      ...rule,
      most: share.most,
      slots: share.slots(),
      running: worker.running,
      withheld: share.withheld() ?? null,
      lack: worker.lack ?? null,
      actionsAs: general.offeredName ?? null,
      commands: general.isOn,
      counts: worker.counts,
    };
  }
}
