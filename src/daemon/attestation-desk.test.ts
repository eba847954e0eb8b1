import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { attestedBy, codec, executed, trustWorld } from "../../test/compliance/trust-world.ts";
import { silentLog } from "../base/index.ts";
import { KnownAttestations, openDatabase } from "../store/index.ts";
import { epochRule, Members } from "../trust/index.ts";
import { AttestationDesk } from "./attestation-desk.ts";

test("what is known already is not announced once more, however often somebody sends it", async (t) => {
  const { membership, state, signers } = trustWorld([1, 1], 840);
  const [self, other] = signers.flat();
  assert.ok(self !== undefined && other !== undefined);
  const directory = mkdtempSync(join(tmpdir(), "cairn-desk-"));
  t.after(() => rmSync(directory, { recursive: true }));
  using database = openDatabase({ log: silentLog, now: Date.now }, { file: join(directory, "index.db") });
  const known = await KnownAttestations.open({ database });
  const members = new Members({ membership, codec, rule: epochRule(codec), keys: self.keys, now: Date.now });
  using desk = new AttestationDesk({ known, members, codec, log: silentLog });
  const coming: string[][] = [];
  desk.onComing((all) => void coming.push(all.map(({ manifest }) => manifest)));
  const sent = (...names: readonly string[]): Promise<unknown> =>
    new Promise((done) =>
      desk.admit(
        names.map((name) => codec.encodeAttestation(attestedBy(state.network, other, executed(name, "x"))) ?? new Uint8Array()),
        done,
      ),
    );
  const [one, two] = ["one", "two"].map((name) => executed(name, "x").manifest);
  await sent("one");
  await sent("one");
  await sent("one", "two");
  assert.deepEqual(coming, [[one], [two]]);
});
