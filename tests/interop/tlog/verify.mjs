// Reads a C2SP tlog-proof and an entry the way their specifications say, with nothing of ours and nothing from npm.
// stdin: {"proof": text, "entry": base64, "log": [vkey], "witnesses": [vkey], "quorum": n}; stdout: {"size", "cosigned": [[name, time]]}.
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";

const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();

function parseKey(vkey) {
  const [, name, id, material] = /^(.+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey);
  const bytes = Buffer.from(material, "base64");
  const expected = sha256(Buffer.from(name + "\n"), bytes).subarray(0, 4);
  if (expected.toString("hex") !== id) throw new Error(`key id of ${name}`);
  const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), bytes.subarray(1)]);
  return { name, id: expected, type: bytes[0], key: createPublicKey({ key: spki, format: "der", type: "spki" }) };
}

function parseNote(note) {
  const end = note.lastIndexOf("\n\n");
  const text = note.slice(0, end + 1);
  const lines = note.slice(end + 2).trimEnd().split("\n");
  const signatures = lines.map((line) => {
    const [dash, name, data] = line.split(" ");
    if (dash !== "—") throw new Error("signature line");
    const bytes = Buffer.from(data, "base64");
    return { name, id: bytes.subarray(0, 4), signature: bytes.subarray(4) };
  });
  return { text, signatures };
}

function rootOf(entry, index, size, path) {
  let node = sha256(Buffer.from([0]), entry);
  let fn = BigInt(index);
  let sn = BigInt(size) - 1n;
  for (const sibling of path) {
    if (sn === 0n) throw new Error("path too long");
    if (fn & 1n || fn === sn) {
      node = sha256(Buffer.from([1]), sibling, node);
      while (!(fn & 1n) && fn !== 0n) { fn >>= 1n; sn >>= 1n; }
    } else {
      node = sha256(Buffer.from([1]), node, sibling);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  if (sn !== 0n) throw new Error("path too short");
  return node;
}

const input = JSON.parse(readFileSync(0, "utf8"));
const split = input.proof.indexOf("\n\n");
const head = input.proof.slice(0, split).split("\n");
if (head.shift() !== "c2sp.org/tlog-proof@v1") throw new Error("header");
if (head[0].startsWith("extra ")) head.shift();
const index = Number(/^index (\d+)$/.exec(head.shift())[1]);
const path = head.map((line) => Buffer.from(line, "base64"));
const { text, signatures } = parseNote(input.proof.slice(split + 2));
const [origin, size, root] = text.split("\n");

const isBy = (key) => (each) => each.name === key.name && each.id.equals(key.id);
const log = input.log.map(parseKey);
const byLog = log.some((key) =>
  key.name === origin && key.type === 1 &&
  signatures.filter(isBy(key)).some((each) => verify(null, Buffer.from(text), key.key, each.signature)));
if (!byLog) throw new Error("not signed by the log");

const cosigned = [];
for (const key of input.witnesses.map(parseKey)) {
  if (key.type !== 4) throw new Error("witness key type");
  for (const each of signatures.filter(isBy(key))) {
    const time = each.signature.readBigUInt64BE(0);
    const message = Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);
    if (!verify(null, message, key.key, each.signature.subarray(8))) throw new Error(`cosignature of ${key.name}`);
    cosigned.push([key.name, Number(time)]);
  }
}
if (new Set(cosigned.map(([name]) => name)).size < input.quorum) throw new Error("too few witnesses");
const computed = rootOf(Buffer.from(input.entry, "base64"), index, Number(size), path);
if (computed.toString("base64") !== root) throw new Error("not in the log");
console.log(JSON.stringify({ size: Number(size), cosigned }));
