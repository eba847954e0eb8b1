/**
 * What people ask about work for others, and changes of how much there may be, which take effect at once.
 */
import type { WorkControls } from "../doors/index.ts";
import type { ShareOptions, WorkShare } from "./work-share.ts";
import type { Worker } from "./worker.ts";

export interface ShareControlsParts {
  readonly share: WorkShare;
  readonly worker: Worker;
  /** As the file and the environment have it now. @throws {CairnError} config-invalid */
  readonly config: () => ShareOptions;
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
    const { share, worker, config } = this.#parts;
    const { workShare, workPower, workWhen, workHours } = config();
    share.set({ workShare, workPower, workWhen, workHours });
    worker.changed();
    return this.view();
  }

  /** Without a look at what this machine can. */
  get now(): object {
    const { share, worker } = this.#parts;
    const { workShare, workPower, workWhen, workHours } = share.options;
    const rule = { percent: workShare, power: workPower, when: workWhen, hours: workHours };
    return {
      ...rule,
      most: share.most,
      slots: share.slots(),
      running: worker.running,
      withheld: share.withheld() ?? null,
      lack: worker.lack ?? null,
      counts: worker.counts,
    };
  }
}
