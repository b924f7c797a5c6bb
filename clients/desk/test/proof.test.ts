import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign, webcrypto } from 'node:crypto';
import { test } from 'node:test';
import { base64Of, bytesOf, checkBundle, leafOf, readCheckpoint, rootOf, signedBy } from '../src/proof';

globalThis.crypto ??= webcrypto as Crypto;

const sha = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
const ONE = Buffer.from([1]);

/** The tree as RFC 6962 2.1 defines it, written a second time and in another way. */
function treeRoot(leaves: Buffer[]): Buffer {
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha(ONE, treeRoot(leaves.slice(0, k)), treeRoot(leaves.slice(k)));
}

function path(index: number, leaves: Buffer[]): Buffer[] {
  if (leaves.length === 1) return [];
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return index < k ? [...path(index, leaves.slice(0, k)), treeRoot(leaves.slice(k))]
    : [...path(index - k, leaves.slice(k)), treeRoot(leaves.slice(0, k))];
}

const bytes = (buffer: Buffer) => new Uint8Array(buffer);

test('every leaf of every small tree is proved, and no other', async () => {
  for (let size = 1; size <= 20; size++) {
    const lines = Array.from({ length: size }, (_, i) => `{"seq":${i + 1}}`);
    const leaves = lines.map((line) => sha(Buffer.from([0]), Buffer.from(line)));
    const root = base64Of(treeRoot(leaves));
    for (let i = 0; i < size; i++) {
      const way = path(i, leaves).map(bytes);
      const leaf = await leafOf(lines[i]!);
      assert.equal(base64Of((await rootOf(i, size, leaf, way))!), root, `${i} of ${size}`);
      const other = await rootOf(i, size, await leafOf(lines[i] + ' '), way);
      assert.notEqual(other && base64Of(other), root);
      assert.equal(await rootOf(i, size, leaf, [...way, leaf]), null, 'a path that is too long');
      if (way.length > 0) assert.equal(await rootOf(i, size, leaf, way.slice(1)), null, 'a path that is too short');
    }
  }
  assert.equal(await rootOf(3, 3, await leafOf('x'), []), null);
});

test('a checkpoint is signed by its key and by no other', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
  const keyId = sha(Buffer.from('tocsin.test\n'), ONE, raw).subarray(0, 4);
  const text = 'tocsin.test\n7\nAAAA\n';
  const note = `${text}\n— tocsin.test ${Buffer.concat([keyId, sign(null, Buffer.from(text), privateKey)]).toString('base64')}\n`;
  const key = `tocsin.test+${keyId.toString('hex')}+${Buffer.concat([ONE, raw]).toString('base64')}`;
  const checkpoint = readCheckpoint(note)!;
  assert.deepEqual([checkpoint.origin, checkpoint.size, checkpoint.root], ['tocsin.test', 7, 'AAAA']);
  assert.equal(await signedBy(checkpoint, key), 'yes');
  assert.equal(await signedBy(readCheckpoint(note.replace('\n7\n', '\n8\n'))!, key), 'no');
  assert.equal(await signedBy(checkpoint, key.replace(/.{6}$/, 'AAAAAA')), 'no');
  assert.equal(await signedBy(checkpoint, 'nonsense'), 'no');
  assert.equal(readCheckpoint('nonsense'), null);
  assert.equal(base64Of(bytesOf('AAEC/w==')), 'AAEC/w==');
});

test('a bundle whose line was changed, moved or sealed by another checkpoint does not hold', async () => {
  const lines = Array.from({ length: 11 }, (_, i) => `{"seq":${i + 1}}`);
  const leaves = lines.map((line) => sha(Buffer.from([0]), Buffer.from(line)));
  const entry = (i: number) => ({ seq: i + 1, line: lines[i]!, path: path(i, leaves).map(bytes).map(base64Of) });
  const checkpoint = `tocsin.test\n11\n${base64Of(treeRoot(leaves))}\n\n— tocsin.test AAAAAAAA\n`;
  const bundle = { key: 'tocsin.test+00000000', checkpoint, entries: [entry(2), entry(7), entry(10)] };
  const holds = async (more: object) => (await checkBundle({ ...bundle, ...more }, '')).lines.map((line) => line.sealed);
  assert.deepEqual(await holds({}), [true, true, true]);
  assert.deepEqual(await holds({ entries: [entry(2), { ...entry(7), line: '{"seq":8 }' }, { ...entry(10), seq: 10 }] }), [true, false, false]);
  assert.deepEqual(await holds({ checkpoint: checkpoint.replace(base64Of(treeRoot(leaves)), base64Of(leaves[0]!)) }), [false, false, false]);
  assert.equal((await checkBundle(bundle, '')).signed, 'unasked');
  assert.equal((await checkBundle(bundle, 'tocsin.test+00000000+AQAA')).signed, 'no');
  await assert.rejects(checkBundle({ ...bundle, checkpoint: 'nonsense' }, ''));
});
