/**
 * The tables of the index database. Whoever changes them raises SCHEMA_VERSION: a database of another version is moved aside,
 * for a cache may be lost but never misread. A table that an older version can do without is added to what is there (ADDITIONS).
 *
 * There are few indices: each costs one more page to write for each compile. Where a result's blobs are wanted, its body tells them.
 * Digests are stored as 32 bytes. An entry names its inputs and absent paths by integer ids (see interner.ts), because thousands
 * of manifests share the same headers. An id is never used twice, because the
 * sweeper leaves the greatest one alone: what an entry names is right or gone. `crc` is the checksum of the row (row-check.ts). `used` and `checked` are ms since the epoch.
 */
export const SCHEMA_VERSION = 3;

export const SCHEMA = `
CREATE TABLE blobs (
  digest BLOB PRIMARY KEY,
  size INTEGER,             -- NULL until a compressed blob found on disk has been read
  stored INTEGER NOT NULL,  -- bytes of its file
  form INTEGER NOT NULL,    -- 0 plain, 1 zstd, 2 plain because compressing it did not pay
  crc32 INTEGER,            -- NULL until verified
  used INTEGER NOT NULL,
  checked INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX blobs_used ON blobs (used);
CREATE INDEX blobs_plain ON blobs (used) WHERE form = 0;

CREATE TABLE inputs (id INTEGER PRIMARY KEY, digest BLOB NOT NULL, path TEXT NOT NULL, crc INTEGER NOT NULL);
CREATE INDEX inputs_digest ON inputs (digest);
CREATE TABLE paths (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, crc INTEGER NOT NULL);

CREATE TABLE results (id INTEGER PRIMARY KEY, action BLOB NOT NULL UNIQUE, body TEXT NOT NULL, used INTEGER NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE outputs (blob BLOB NOT NULL, result INTEGER NOT NULL, PRIMARY KEY (blob, result)) WITHOUT ROWID;
CREATE TABLE entries (
  id INTEGER PRIMARY KEY,
  manifest BLOB NOT NULL,
  result INTEGER NOT NULL,
  place BLOB,
  presumed INTEGER NOT NULL, -- whether the place is
  terminal BLOB,
  inputs BLOB NOT NULL,
  absent BLOB NOT NULL,
  used INTEGER NOT NULL,
  crc INTEGER NOT NULL
);
CREATE UNIQUE INDEX entries_manifest ON entries (manifest, result);
CREATE INDEX entries_result ON entries (result);
CREATE TRIGGER result_gone AFTER DELETE ON results BEGIN
  DELETE FROM entries WHERE result = OLD.id;
  DELETE FROM outputs WHERE result = OLD.id AND blob IN (SELECT unhex(value ->> 'digest') FROM json_each(OLD.body, '$.outputs'));
END;

CREATE TABLE dropped (entries INTEGER NOT NULL); -- since the sweeper's last round
INSERT INTO dropped VALUES (0);
CREATE TRIGGER entry_gone AFTER DELETE ON entries BEGIN
  UPDATE dropped SET entries = entries + 1;
END;

CREATE TABLE tokens (content BLOB PRIMARY KEY, exact BLOB NOT NULL, layout BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE history (source TEXT PRIMARY KEY, request BLOB NOT NULL, at INTEGER NOT NULL, outcome TEXT NOT NULL, body TEXT NOT NULL,
  crc INTEGER NOT NULL);
CREATE INDEX history_at ON history (at);
CREATE TABLE counters (name TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE large_files (path TEXT PRIMARY KEY, identity BLOB NOT NULL, digest BLOB NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID;
`;

/**
 * Signatures under entries and the results they lead to: of nodes that executed them. What an entry and its result hold already is not
 * held again; `held` is the digest of that, by which it is seen when it is not what was signed any more (shelf.ts). Beside them the attestations
 * of all members, and what tools keep here.
 */
export const ADDITIONS = `
CREATE TABLE IF NOT EXISTS attestations (
  entry INTEGER NOT NULL,
  signer BLOB NOT NULL,
  manifest BLOB NOT NULL,   -- the entry's: when this row goes, the entry is gone
  held BLOB NOT NULL,
  toolchain BLOB NOT NULL,
  started INTEGER NOT NULL, -- ms since the epoch, like \`ended\`
  ended INTEGER NOT NULL,
  compile_ms REAL NOT NULL, -- the signer's, as all of this; those of the result are of one of them
  cpu_ms REAL NOT NULL,
  signature BLOB NOT NULL,
  crc INTEGER NOT NULL,
  PRIMARY KEY (entry, signer)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attested_network (network BLOB NOT NULL); -- one row: that for which all of these were signed
CREATE TRIGGER IF NOT EXISTS entry_unattested AFTER DELETE ON entries BEGIN
  DELETE FROM attestations WHERE entry = OLD.id;
END;
-- What this node knows of all members' attestations, whether it has their results or not (known-attestations.ts).
CREATE TABLE IF NOT EXISTS attestation_set (
  id BLOB PRIMARY KEY,
  signer BLOB NOT NULL,
  manifest BLOB NOT NULL,
  action BLOB NOT NULL,
  body BLOB NOT NULL,
  crc INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS attestation_set_manifest ON attestation_set (manifest);
CREATE INDEX IF NOT EXISTS attestation_set_action ON attestation_set (action, signer);
-- Results that are used on condition that they are executed here soon (unverified-results.ts).
CREATE TABLE IF NOT EXISTS unverified_results (action BLOB PRIMARY KEY) WITHOUT ROWID;
-- Results that a member has executed for this node alone (members-works.ts).
CREATE TABLE IF NOT EXISTS members_works (action BLOB PRIMARY KEY, member BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS members_works_member ON members_works (member);
CREATE TRIGGER IF NOT EXISTS work_gone AFTER DELETE ON results BEGIN
  DELETE FROM members_works WHERE action = OLD.action;
END;
-- Statements that dispute what others have executed for tools (heard-disputes.ts); \`at\` is ms since the epoch.
CREATE TABLE IF NOT EXISTS heard_disputes (
  manifest BLOB NOT NULL,
  domain TEXT NOT NULL,
  body TEXT NOT NULL,       -- JSON: the signed result
  at INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  PRIMARY KEY (manifest, domain)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS heard_disputes_at ON heard_disputes (at);
-- What is being taken back (begun-recalls.ts): a signer, a member or a request.
CREATE TABLE IF NOT EXISTS begun_recalls (kind TEXT NOT NULL, what BLOB NOT NULL, PRIMARY KEY (kind, what)) WITHOUT ROWID;
-- Commands of which not always the same comes (unshared-commands.ts); \`at\` is ms since the epoch.
CREATE TABLE IF NOT EXISTS unshared_commands (command BLOB PRIMARY KEY, why TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
-- What tools keep here under keys of their own (door-entries.ts). An evicted blob takes its entries along (blob-table.ts).
CREATE TABLE IF NOT EXISTS door_entries (
  id INTEGER PRIMARY KEY,
  door TEXT NOT NULL,
  key TEXT NOT NULL,
  blob BLOB NOT NULL,
  size INTEGER NOT NULL,
  meta TEXT NOT NULL,       -- JSON: names and texts
  at INTEGER NOT NULL,      -- ms since the epoch
  crc INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS door_entries_key ON door_entries (key, door);
CREATE INDEX IF NOT EXISTS door_entries_blob ON door_entries (blob);
`;
