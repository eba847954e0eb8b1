import assert from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { certifiedKey, tlsIdentity } from "./certificate.ts";

test("a certificate is signed by the key that it holds, at any time", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) => {
      const certificate = new X509Certificate(tlsIdentity(seed).cert);
      assert.ok(certificate.verify(certificate.publicKey));
      assert.match(certifiedKey(certificate) ?? "", /^[0-9a-f]{64}$/);
      assert.equal(certificate.validFromDate.getUTCFullYear(), 1970);
      assert.equal(certificate.validToDate.getUTCFullYear(), 9999);
    }),
    { numRuns: 20 },
  );
});

test("the key is the peer key of RFC 8032's first test vector", () => {
  const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
  const key = certifiedKey(new X509Certificate(tlsIdentity(seed).cert));
  assert.equal(key, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
});

test("nobody has no key, and other kinds of keys are nobody's", () => {
  assert.equal(certifiedKey(undefined), undefined);
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  assert.equal(certifiedKey({ publicKey } as X509Certificate), undefined);
});
