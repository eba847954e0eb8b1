/**
 * What people ask about work for others, and changes of how much there may be, which take effect at once.
 */
import type { WorkControls } from "../doors/index.ts";
import type { GeneralSettings, GeneralWork } from "./general-work.ts";
import type { BoundOptions, MemberBounds } from "./member-bounds.ts";
import { sandboxAdvice } from "./sandbox-home.ts";
import type { ShareOptions, Withheld, WorkShare } from "./work-share.ts";
import type { Worker } from "./worker.ts";

export interface ShareControlsParts {
  readonly share: WorkShare;
  readonly bounds: Pick<MemberBounds, "set" | "options">;
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
  follow({
    workShare,
    workPower,
    workWhen,
    workHours,
    workActions,
    workSystem,
    ...config
  }: ShareOptions & GeneralSettings & BoundOptions): void {
    const { share, worker, general, bounds } = this.#parts;
    const { workMemberSlots, workMemberSeconds, workMemberWhen } = config;
    general.follow({ workActions, workSystem });
    bounds.set({ workMemberSlots, workMemberSeconds, workMemberWhen });
    share.set({ workShare, workPower, workWhen, workHours });
    worker.changed();
  }

  /** Without a look at what this machine can. */
  get now(): object {
    const { share, worker, general, bounds } = this.#parts;
    const { workShare, workPower, workWhen, workHours } = share.options;
    const { workMemberSlots, workMemberSeconds, workMemberWhen } = bounds.options;
    const rule = { percent: workShare, power: workPower, when: workWhen, hours: workHours };
    return {
      ...rule,
      member: { percent: workMemberSlots, secondsPerMinute: workMemberSeconds, when: workMemberWhen },
      most: worker.lack === undefined ? share.most : 0,
      slots: worker.lack === undefined ? share.slots() : 0,
      running: worker.running,
      withheld: share.withheld() ?? null,
      lack: worker.lack?.detail ?? null,
      advice: worker.lack === undefined ? null : sandboxAdvice[worker.lack.reason],
      declined: this.#declined ?? null,
      actionsAs: general.offeredName ?? null,
      commands: general.isOn,
      counts: worker.counts,
      runningFor: worker.runningFor,
    };
  }

  /** Why nothing is done for others now. */
  get #declined(): Withheld | "lack" | "own-compiles" | undefined {
    const { share, worker } = this.#parts;
    if (worker.lack !== undefined) return "lack";
    return share.withheld() ?? (share.slots() === 0 ? "own-compiles" : undefined);
  }
}
