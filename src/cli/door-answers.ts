/**
 * What came and went through the doors for build tools, as people see it in `cairn stats`.
 *
 * Knows: the counters' names. Does not know: how they travel.
 */
import type { Counters } from "./answers.ts";
import { bytes, count, share, table } from "./format.ts";
import type { Paint } from "./terminal.ts";

interface DoorRow {
  readonly door: string;
  readonly hits: number;
  /** Of these, what tools have left at other machines. */
  readonly others: number;
  readonly misses: number;
  readonly puts: number;
  readonly refused: number;
  readonly sentBytes: number;
  readonly keptBytes: number;
}

const NAME = /^door:([^:]+):/;

/** One line for each door that anybody has knocked at; none where nobody has. */
export function doorLines(counters: Counters, paint: Paint): string[] {
  const rows = doorRows(counters);
  if (rows.length === 0) return [];
  const heading = ["through the doors", "hits", "", "of others", "misses", "kept", "refused", "sent", "received"].map((text) =>
    paint.dim(text),
  );
  const lines = rows.map(({ door, hits, others, misses, puts, refused, sentBytes, keptBytes }) => [
    door,
    count(hits),
    share(hits, hits + misses),
    count(others),
    count(misses),
    count(puts),
    count(refused),
    bytes(sentBytes),
    bytes(keptBytes),
  ]);
  const elsewhere = counters["door:exec:elsewhere"] ?? 0;
  return [
    ...table([heading, ...lines], ["left", "right", "right", "right", "right", "right", "right", "right", "right"]),
    ...(elsewhere === 0 ? [] : [`commands of exec that other machines ran: ${count(elsewhere)}`]),
  ];
}

function doorRows(counters: Counters): DoorRow[] {
  const doors = new Set(Object.keys(counters).flatMap((name) => NAME.exec(name)?.[1] ?? []));
  return [...doors].toSorted().map((door) => {
    const at = (what: string): number => counters[`door:${door}:${what}`] ?? 0;
    const [hits, misses, puts] = [at("hit"), at("miss"), at("put")];
    return {
      door,
      hits,
      others: at("others"),
      misses,
      puts,
      refused: at("refused"),
      sentBytes: at("sent_bytes"),
      keptBytes: at("kept_bytes"),
    };
  });
}
