import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import en from '../src/texts/en.json';
import zh from '../src/texts/zh-CN.json';

const SOURCE = join(import.meta.dirname, '..', 'src');

function source(folder: string): string {
  return readdirSync(folder, { withFileTypes: true }).map((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? source(path) : /\.tsx?$/.test(entry.name) ? readFileSync(path, 'utf8') : '';
  }).join('\n');
}

test('both languages have the same keys, in the same order, none empty', () => {
  assert.deepEqual(Object.keys(zh), Object.keys(en));
  for (const [key, text] of [...Object.entries(en), ...Object.entries(zh)]) assert.ok(text.trim(), key);
});

test('both say the same values', () => {
  const values = (text: string) => [...text.matchAll(/\{\w+\}/g)].map((match) => match[0]).sort();
  for (const key of Object.keys(en) as (keyof typeof en)[]) assert.deepEqual(values(zh[key]), values(en[key]), key);
});

test('Chinese is Chinese', () => {
  for (const [key, text] of Object.entries(zh)) assert.match(text, /\p{Script=Han}/u, key);
});

test('every key is used', () => {
  const text = source(SOURCE);
  const literal = new Set([...text.matchAll(/'([a-z]+\.[\w-]+)'/g)].map((match) => match[1]));
  const patterns = [...text.matchAll(/`([a-z]+(?:\.[\w-]+)*)\.\$\{[^`]*`/g)].map((match) => `${match[1]}.`);
  const words = [...text.matchAll(/wordIn\([^,]+, '(\w+)'/g)].map((match) => `${match[1]}.`);
  const used = (key: string) => literal.has(key) || [...patterns, ...words].some((prefix) => key.startsWith(prefix));
  assert.deepEqual(Object.keys(en).filter((key) => !used(key)), []);
});

const DAEMON = process.env['TOCSIN_SOURCE'];

/** The words of a table of the daemon's, as its source has them. */
function daemonWords(file: string, row: RegExp): string[] {
  return [...readFileSync(join(DAEMON ?? '', file), 'utf8').matchAll(row)].map((match) => match[1] ?? '');
}

test('each problem, trouble and oddity that the daemon knows has a text', { skip: DAEMON ? false : 'TOCSIN_SOURCE names no folder' }, () => {
  const problems = daemonWords('daemon/io/api_answer.c', /^ +\[API_\w+\] = \{"([\w-]+)"/gm);
  const troubles = daemonWords('daemon/core/event.c', /^ +\[TROUBLE_\w+\] = "(\w+)"/gm);
  const table = daemonWords('daemon/core/event.c', /oddity_names\[\] = \{([^}]*)\}/g)[0] ?? '';
  const oddities = [...table.matchAll(/"(\w+)"/g)].map((match) => match[1] ?? '');
  assert.ok(problems.length > 10 && troubles.length > 10 && oddities.length > 10);
  const keys = new Set(Object.keys(en));
  const needed = [...problems.map((word) => `problem.${word}`), ...oddities.map((word) => `odd.${word}`),
    ...troubles.flatMap((word) => [`trouble.${word}`, `means.${word}`])];
  assert.deepEqual(needed.filter((key) => !keys.has(key)), []);
});
