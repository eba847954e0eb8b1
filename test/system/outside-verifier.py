"""
Verifies what `cairn attest export` has written, and shares no code with it: Python's standard library and the `openssl` program.

usage: outside-verifier.py FILE [SUBJECT...]

FILE has one DSSE envelope in a line. Of each the signature must hold (https://github.com/secure-systems-lab/dsse, Ed25519) and the statement
be in-toto's: SLSA provenance, or a verification summary. A summary must rest on attestations in the same file, of as many keys as it names,
that say the same of its subjects. SUBJECTs are files that each must be a subject of every statement.

Prints what it has found as JSON; exit code 1, and why, where anything of it does not hold.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
SUMMARY = "https://slsa.dev/verification_summary/v1"
KEY = "urn:cairn:attestation-key:"
INPUT = "urn:cairn:attestation:"
# SubjectPublicKeyInfo of an Ed25519 key, less the key: RFC 8410, section 4.
SPKI = bytes.fromhex("302a300506032b6570032100")


class Refused(Exception):
    pass


def must(holds, why):
    if not holds:
        raise Refused(why)


def encoded(payload_type, body):
    """DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)


def is_signed(key, message, signature):
    pem = "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n" % base64.b64encode(SPKI + key).decode()
    with tempfile.TemporaryDirectory() as directory:
        paths = [os.path.join(directory, name) for name in ("key", "message", "signature")]
        for path, content in zip(paths, (pem.encode(), message, signature)):
            with open(path, "wb") as file:
                file.write(content)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", paths[0], "-rawin", "-in", paths[1], "-sigfile", paths[2]]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def key_named(name):
    must(name.startswith(KEY), "it names no key: " + name)
    key = bytes.fromhex(name[len(KEY) :])
    must(len(key) == 32, "it names no Ed25519 key")
    return key


def read(line):
    envelope = json.loads(line)
    must(envelope["payloadType"] == PAYLOAD_TYPE, "another payload")
    body = base64.b64decode(envelope["payload"], validate=True)
    statement = json.loads(body)
    must(statement["_type"] == STATEMENT, "another statement")
    predicate = statement["predicate"]
    kind = statement["predicateType"]
    must(kind in (PROVENANCE, SUMMARY), "another predicate")
    name = predicate["runDetails"]["builder"]["id"] if kind == PROVENANCE else predicate["verifier"]["id"]
    key = key_named(name)
    signatures = [base64.b64decode(one["sig"], validate=True) for one in envelope["signatures"]]
    must(any(is_signed(key, encoded(PAYLOAD_TYPE, body), one) for one in signatures), "the signature does not hold")
    subjects = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}
    return {"kind": kind, "key": key.hex(), "subjects": subjects, "predicate": predicate, "digest": hashlib.sha256(line).hexdigest()}


def summarized(summary, attestations):
    predicate = summary["predicate"]
    must(predicate["verificationResult"] == "PASSED", "it has not passed")
    action = predicate["resourceUri"].split(":")[-1]
    keys = set()
    for one in predicate["inputAttestations"]:
        must(one["uri"].startswith(INPUT), "it rests on something else")
        _, of, signer = one["uri"][len(INPUT) :].split(":")
        must(of == action, "it rests on an attestation of another action")
        found = attestations.get(one["digest"]["sha256"])
        must(found is not None, "an attestation that it rests on is not there")
        must(found["key"] == signer, "an attestation is another key's")
        must(summary["subjects"].items() <= found["subjects"].items(), "an attestation says something else of its subjects")
        keys.add(signer)
    must(len(keys) >= 2 and len(keys) == len(predicate["inputAttestations"]), "too few keys")
    return {"levels": predicate["verifiedLevels"], "keys": len(keys), "verifier": summary["key"], "subjects": summary["subjects"]}


def main(path, *files):
    with open(path, "rb") as file:
        all_of_it = [read(line) for line in file.readlines()]
    must(all_of_it != [], "it is empty")
    attestations = {one["digest"]: one for one in all_of_it if one["kind"] == PROVENANCE}
    summaries = [summarized(one, attestations) for one in all_of_it if one["kind"] == SUMMARY]
    for name in files:
        with open(name, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        must(all(digest in one["subjects"].values() for one in all_of_it), name + " is not a subject")
    json.dump({"attestations": len(attestations), "summaries": summaries}, sys.stdout)


try:
    main(*sys.argv[1:])
except (Refused, KeyError, TypeError, ValueError, AttributeError) as error:
    sys.exit("%s: %s" % (type(error).__name__, error))
