import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Stream } from "@libp2p/interface";
import { streamsEnded } from "./streams-ended.ts";

test("the last stream is waited for, also one that came meanwhile, and the one that is left out is not", async () => {
  const [own, first, second, third] = Array.from({ length: 4 }, () => new EventTarget() as Stream);
  assert.ok(own !== undefined && first !== undefined && second !== undefined && third !== undefined);
  const streams = [own, first, second];
  const end = (stream: Stream): void => {
    streams.splice(streams.indexOf(stream), 1);
    stream.dispatchEvent(new Event("close"));
  };
  let isOver = false;
  const over = streamsEnded({ streams }, own, new AbortController().signal).then(() => {
    isOver = true;
  });
  end(first);
  streams.push(third);
  end(second);
  await turn();
  assert.equal(isOver, false, "another one is open");
  end(third);
  await over;
  await streamsEnded({ streams }, own, new AbortController().signal);
  const given = new AbortController();
  const waiting = streamsEnded({ streams }, undefined, given.signal);
  given.abort();
  await assert.rejects(waiting, { name: "AbortError" });
});
