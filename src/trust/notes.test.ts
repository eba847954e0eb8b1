import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cosignature, cosign, type Head, isCosigned, isHead, originOf, readHead, signHead, writeHead } from "./checkpoints.ts";
import { keyPairFromSeed } from "./keys.ts";
import { leafHash } from "./merkle.ts";
import { cosignedAt, isNoteSigned, type NoteKey, readNote, writeNote } from "./notes.ts";

/** A verifier's key as C2SP writes it: name, id, and base64 of a byte for the kind and the key. */
function verifier(text: string): NoteKey {
  const [name = "", , ...base64] = text.split("+");
  return { name, key: Buffer.from(base64.join("+"), "base64").subarray(1).toString("hex") };
}

/** The example of Go's sumdb/note, from which signed-note was written. */
const GO = {
  key: verifier("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"),
  note: `If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
`,
};

/** A checkpoint of a public log, signed by it and cosigned by public witnesses. */
const PUBLIC = {
  log: verifier("arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"),
  witness: verifier("remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"),
  note: `arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
`,
};

function noteOf(text: string): NonNullable<ReturnType<typeof readNote>> {
  return readNote(text) ?? assert.fail("it is no note");
}

test("the published notes hold, and a changed one does not", () => {
  assert.ok(isNoteSigned(noteOf(GO.note), GO.key));
  const { log, witness, note } = PUBLIC;
  assert.ok(isNoteSigned(noteOf(note), log));
  assert.equal(cosignedAt(noteOf(note), witness), 0x6a_12_21_20);
  assert.equal(writeNote(noteOf(note)), note);
  const changed = noteOf(note.replace("1432088532", "1432088533"));
  assert.deepEqual([isNoteSigned(changed, log), cosignedAt(changed, witness)], [false, undefined]);
  assert.ok(!isNoteSigned(noteOf(note), { ...log, key: witness.key }));
  assert.ok(!isNoteSigned(noteOf(note), witness), "a cosignature is no signature");
  assert.equal(cosignedAt(noteOf(note), log), undefined, "nor the other way round");
});

for (const [what, text] of [
  ["no signatures", "text\n\n"],
  ["no empty line", "text\n— a AAAAAAA=\n"],
  ["no text", "\n\n— a AAAAAAAA\n"],
  ["no last end of line", GO.note.slice(0, -1)],
  ["a control character", GO.note.replace("you", "\tyou")],
  ["a name with a plus", GO.note.replace("— PeterNeumann", "— Peter+Neumann")],
  ["a name with a space", GO.note.replace("— PeterNeumann", "— Peter Neumann")],
  ["another dash", GO.note.replace("—", "-")],
  ["base64 with spare bits", GO.note.replace("wJnAM=", "wJnAN=")],
  ["half a character", `\ud800${GO.note}`],
] as const)
  test(`${what}: no note`, () => assert.equal(readNote(text), undefined));

const [own, witness, stranger] = [1, 2, 3].map((byte) => keyPairFromSeed(Buffer.alloc(32, byte)));

test("a checkpoint is read back with its witnesses, whoever else has put a line below it", () => {
  assert.ok(own !== undefined && witness !== undefined && stranger !== undefined);
  const head = signHead(own, 7, leafHash(Buffer.from("root")));
  const cosignatures = [cosign(witness, head, 1_700_000_000), cosign(stranger, head, 1_700_000_001)];
  const text = writeHead(head, cosignatures);
  const plain = (one: Cosignature): object => ({ ...one, signature: Buffer.from(one.signature) });
  const read = readHead(text) ?? assert.fail("it is no checkpoint");
  assert.deepEqual({ ...read.head, signature: Buffer.from(read.head.signature) }, { ...head, signature: Buffer.from(head.signature) });
  assert.deepEqual(read.cosignatures.map(plain), cosignatures.map(plain));
  assert.ok(isHead(head) && cosignatures.every((one) => isCosigned(head, one)));
  // Its own cosignature would count for nobody, and what does not hold is left out.
  const broken = text.replace(`— ${originOf(stranger.publicKey)} `, `— ${originOf(stranger.publicKey)}0 `);
  assert.equal(readHead(broken)?.cosignatures.length, 1);
  assert.deepEqual(readHead(writeHead(head, [cosign(own, head, 1)]))?.cosignatures, []);
  assert.equal(readHead(text.replace("\n7\n", "\n8\n")), undefined);
  assert.equal(readHead(text.replace("\n7\n", "\n07\n")), undefined);
  assert.equal(readHead(text.replace("\n\n", "\nmore\n\n")), undefined);
  assert.throws(() => own.signNote("cairn statement 1\0"), RangeError);
});

test("a changed checkpoint or time is cosigned by nobody", () => {
  assert.ok(own !== undefined && witness !== undefined);
  const head: Head = signHead(own, 7, leafHash(Buffer.from("root")));
  const by = cosign(witness, head, 1_700_000_000);
  for (const other of [
    { ...head, size: 8 },
    { ...head, root: "00".repeat(32) },
    { ...head, log: witness.publicKey },
  ]) {
    assert.ok(!isHead(other));
    assert.ok(!isCosigned(other, by));
  }
  assert.ok(!isCosigned(head, { ...by, timeS: 1_700_000_001 }));
  assert.ok(!isHead({ ...head, size: 0 }));
});
