import { defineConfig } from 'vite';

// No inline script or style, and no outside host: the daemon's Content-Security-Policy allows neither.
export default defineConfig({
  base: '/',
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 600 },
});
