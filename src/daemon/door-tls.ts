/**
 * The settings `doors.tls.*`: files with a certificate, its key, and who vouches for clients, read and looked at before a door is opened with them.
 *
 * Knows: PEM, and what can be wrong with it. Does not know: doors.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { CairnError, type Config, limits, reasonOf, systemReason } from "../base/index.ts";
import type { DoorTls } from "../doors/index.ts";

export type TlsSettings = Pick<Config, "doorsTlsCertificate" | "doorsTlsKey" | "doorsTlsClientCa">;

/**
 * @param nowMs since the epoch
 * @returns undefined where nothing is set
 * @throws {CairnError} usage: which file is wrong, and in what
 */
export function readTls({ doorsTlsCertificate, doorsTlsKey, doorsTlsClientCa }: TlsSettings, nowMs: number): DoorTls | undefined {
  if (doorsTlsCertificate === "" && doorsTlsKey === "" && doorsTlsClientCa === "") return undefined;
  if (doorsTlsCertificate === "") throw wrong("doors.tls.certificate is to name a file, too");
  if (doorsTlsKey === "") throw wrong("doors.tls.key is to name a file, too");
  const certificate = readPem(doorsTlsCertificate);
  const key = readPem(doorsTlsKey);
  const clientCa = doorsTlsClientCa === "" ? undefined : readPem(doorsTlsClientCa);
  const shown = readCertificate(doorsTlsCertificate, certificate);
  if (Date.parse(shown.validTo) < nowMs) throw wrong(`${doorsTlsCertificate} holds a certificate that ended at ${shown.validTo}`);
  if (Date.parse(shown.validFrom) > nowMs) throw wrong(`${doorsTlsCertificate} holds a certificate that begins at ${shown.validFrom}`);
  if (!shown.checkPrivateKey(readKey(doorsTlsKey, key))) throw wrong(`${doorsTlsKey} is not the key of ${doorsTlsCertificate}`);
  if (clientCa !== undefined) readCertificate(doorsTlsClientCa, clientCa);
  try {
    createSecureContext({ cert: certificate, key, ...(clientCa === undefined ? {} : { ca: clientCa }) });
  } catch (error) {
    throw wrong(`${doorsTlsCertificate} cannot be used: ${reasonOf(error)}`, error);
  }
  return { certificate, key, clientCa };
}

function readPem(file: string): string {
  try {
    if (statSync(file).size <= limits.doors.pemBytes) return readFileSync(file, "utf8");
  } catch (error) {
    throw wrong(`${file} cannot be read: ${systemReason(error)}`, error);
  }
  throw wrong(`${file} is too large for certificates`);
}

function readCertificate(file: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw wrong(`${file} holds no certificate in PEM`, error);
  }
}

function readKey(file: string, pem: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw wrong(`${file} holds no private key in PEM without a passphrase`, error);
  }
}

function wrong(why: string, cause?: unknown): CairnError {
  return new CairnError("usage", { why }, cause);
}
