// Is a line of the journal in the tree that the checkpoint seals? Computed here, with the browser's own SHA-256 and Ed25519,
// so that nobody has to believe the daemon: proto/journal.md, RFC 6962 2.1.1, C2SP signed notes.

import type { Bundle } from './types';

export interface Checkpoint {
  origin: string;
  size: number;
  root: string; // base64
  text: string; // what is signed
  signatures: { name: string; keyId: string; signature: Bytes }[];
}

type Bytes = Uint8Array<ArrayBuffer>;

export function bytesOf(base64: string): Bytes {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

export function base64Of(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

export function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function hash(...parts: Uint8Array[]): Promise<Bytes> {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest('SHA-256', all));
}

/** The leaf of a line (without its newline). */
export function leafOf(line: string): Promise<Bytes> {
  return hash(new Uint8Array([0]), new TextEncoder().encode(line));
}

/** The root that a leaf and its audit path lead to; null: the path does not fit this place in a tree of this size. */
export async function rootOf(index: number, size: number, leaf: Bytes, path: Bytes[]): Promise<Bytes | null> {
  let at = index, last = size - 1, root = leaf;
  if (index < 0 || index >= size) return null;
  for (const beside of path) {
    if (last === 0) return null;
    if (at % 2 === 1 || at === last) {
      root = await hash(new Uint8Array([1]), beside, root);
      while (at % 2 === 0 && at !== 0) {
        at = Math.floor(at / 2);
        last = Math.floor(last / 2);
      }
    } else {
      root = await hash(new Uint8Array([1]), root, beside);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? root : null;
}

/** null: not a checkpoint. */
export function readCheckpoint(note: string): Checkpoint | null {
  const cut = note.indexOf('\n\n');
  const [origin, size, root] = note.slice(0, Math.max(cut, 0)).split('\n');
  if (cut < 0 || !origin || !root || !/^\d+$/.test(size ?? '')) return null;
  const signatures = [...note.slice(cut + 2).matchAll(/^— (\S+) (\S+)$/gm)].map((match) => {
    const bytes = bytesOf(match[2] ?? '');
    return { name: match[1] ?? '', keyId: hexOf(bytes.slice(0, 4)), signature: bytes.slice(4) };
  });
  return { origin, size: Number(size), root, text: note.slice(0, cut + 1), signatures };
}

/** By a public key as text, `origin+keyid+base64`. "unable": this browser cannot Ed25519. */
export async function signedBy(checkpoint: Checkpoint, publicKey: string): Promise<'yes' | 'no' | 'unable'> {
  const [name, keyId, ...rest] = publicKey.trim().split('+');
  const found = checkpoint.signatures.find((s) => s.name === name && s.keyId === keyId);
  if (!found || name !== checkpoint.origin) return 'no';
  try {
    const key = await crypto.subtle.importKey('raw', bytesOf(rest.join('+')).slice(1), 'Ed25519', false, ['verify']);
    return (await crypto.subtle.verify('Ed25519', key, found.signature, new TextEncoder().encode(checkpoint.text))) ? 'yes' : 'no';
  } catch (error) {
    return error instanceof DOMException && error.name === 'NotSupportedError' ? 'unable' : 'no';
  }
}

export interface CheckedBundle {
  size: number;
  root: string;
  signed: 'yes' | 'no' | 'unable' | 'unasked';
  lines: { seq: number; text: string; leaf: string; sealed: boolean }[];
}

/** Is each line of a bundle what its checkpoint seals? Nothing is taken from the bundle that can be computed. */
export async function checkBundle(bundle: Bundle, publicKey: string): Promise<CheckedBundle> {
  const checkpoint = readCheckpoint(bundle.checkpoint);
  if (!checkpoint) throw new Error('not a checkpoint');
  const lines = await Promise.all(bundle.entries.map(async ({ seq, line, path }) => {
    const leaf = await leafOf(line);
    const root = await rootOf(seq - 1, checkpoint.size, leaf, path.map(bytesOf));
    return { seq, text: line, leaf: hexOf(leaf), sealed: !!root && base64Of(root) === checkpoint.root };
  }));
  const signed = publicKey ? await signedBy(checkpoint, publicKey) : 'unasked';
  return { size: checkpoint.size, root: checkpoint.root, signed, lines };
}
