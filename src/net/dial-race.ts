/**
 * One peer, several addresses: they are tried one after the other, a little apart, and the first that answers wins.
 *
 * Like RFC 8305 ("Happy Eyeballs"), section 5: an address that leads nowhere costs a fraction of a second and not a timeout.
 * Knows: the order and the pauses. Does not know: how to connect.
 */

export interface RaceParts<A, T> {
  /** @param signal ends the attempt; never aborted once the attempt has won, for a socket may still listen to it */
  readonly attempt: (address: A, signal: AbortSignal) => Promise<T>;
  /** What an attempt brought that another one had overtaken. */
  readonly discard: (late: T) => void;
}

/**
 * @param staggerMs from one attempt to the next, unless the one before fails earlier
 * @throws {AggregateError} what each attempt threw, when none succeeds until the signal is aborted
 */
export async function race<A, T>(parts: RaceParts<A, T>, addresses: readonly A[], staggerMs: number, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const open = new Set<AbortController>();
  const errors: unknown[] = [];
  const rest = [...addresses];
  let timer: NodeJS.Timeout | undefined;
  let won = false;

  const end = (): void => {
    clearTimeout(timer);
    rest.length = 0;
    for (const attempt of open) attempt.abort(signal.reason);
  };
  const tryNext = (): void => {
    clearTimeout(timer);
    const address = rest.shift();
    if (address === undefined) {
      if (open.size === 0) reject(new AggregateError(errors, "no address answers"));
      return;
    }
    const attempt = new AbortController();
    open.add(attempt);
    parts.attempt(address, attempt.signal).then(
      (value) => {
        open.delete(attempt);
        if (won) return parts.discard(value);
        won = true;
        end();
        resolve(value);
      },
      (error: unknown) => {
        open.delete(attempt);
        errors.push(error);
        tryNext();
      },
    );
    if (rest.length > 0) timer = setTimeout(tryNext, staggerMs);
  };

  signal.addEventListener("abort", end);
  tryNext();
  return promise.finally(() => signal.removeEventListener("abort", end));
}
