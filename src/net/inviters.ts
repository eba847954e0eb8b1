/**
 * Inviters: those whom an invitation names, and where they were heard since. Its addresses may be older than the places where they are now.
 *
 * Knows: hints about them, though nobody is a member to whom nothing has been told yet. Does not know: how they are dialled.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Host, Key } from "../base/index.ts";

export class Inviters {
  /** By peer key; where none was heard there is no address. */
  readonly #heard = new Map<Key, readonly string[]>();
  #news: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  /** Whom an invitation names, from now on; nobody once it has served. */
  expect(keys: readonly Key[]): void {
    this.#heard.clear();
    this.#news = Promise.withResolvers<void>();
    for (const key of keys) this.#heard.set(key, []);
  }

  get keys(): Key[] {
    return [...this.#heard.keys()];
  }

  /** A hint; others' do not matter. */
  take({ peerKey, addresses }: Host): void {
    if (!this.#heard.has(peerKey)) return;
    this.#heard.set(peerKey, addresses);
    this.#news.resolve();
  }

  /** Those who were heard, where they were heard; waits until the first is. @throws when the signal is aborted */
  async heard(waitMs: number, signal: AbortSignal): Promise<Host[]> {
    const ended = new AbortController();
    const over = AbortSignal.any([signal, ended.signal]);
    await Promise.race([this.#news.promise, pause(waitMs, undefined, { signal: over })]).finally(() => ended.abort());
    return [...this.#heard].flatMap(([peerKey, addresses]) => (addresses.length > 0 ? [{ peerKey, addresses }] : []));
  }
}
