// Bundles each *.test.ts beside this file and runs it with node's own test runner.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const tests = readdirSync(here).filter((name) => name.endsWith('.test.ts'));
const out = mkdtempSync(join(tmpdir(), 'tocsin-desk-'));
buildSync({
  entryPoints: tests.map((name) => join(here, name)), outdir: out, outExtension: { '.js': '.mjs' }, bundle: true,
  platform: 'node', format: 'esm', target: 'node18', sourcemap: 'inline', define: { 'import.meta.dirname': JSON.stringify(here) },
});
const done = spawnSync(process.execPath, ['--enable-source-maps', '--test', out], { stdio: 'inherit' });
rmSync(out, { recursive: true });
process.exit(done.status ?? 1);
