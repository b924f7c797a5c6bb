// A shape for each kind, so that colour is never the only sign.

import type { Kind } from '../types';

const PATHS: Record<Kind, string> = {
  attack: 'M12 1 1 21h22zM11 8h2v7h-2zm0 9h2v2h-2z', // a warning triangle
  fire: 'M13 1c1 4-5 6-5 11 0 1 .4 2 1 2-2 0-3-2-3-4-2 2-2 4-2 5a8 8 0 0 0 16 0c0-5-4-6-4-9-1 1-1 2-1 3-2-2-2-5-2-8z',
  panic: 'M12 2a2 2 0 0 0-2 2c-3 1-4 3-4 6v5l-2 3h16l-2-3v-5c0-3-1-5-4-6a2 2 0 0 0-2-2zm-2 17a2 2 0 0 0 4 0z', // a bell
  generic: 'M11 3h2v12h-2zm0 15h2v3h-2z',
  medical: 'M9 2h6v7h7v6h-7v7H9v-7H2V9h7z',
  intrusion: 'M5 2h14v20H5zm2 2v16h10V4zm7 7h2v3h-2z', // a door
  cancel: 'm4 6 2-2 6 6 6-6 2 2-6 6 6 6-2 2-6-6-6 6-2-2 6-6z',
};

export function Icon({ kind }: { kind: Kind }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[kind] ?? PATHS.generic} fill-rule="evenodd" />
    </svg>
  );
}

export function Speaker() {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d="M3 8v8h5l7 6V2L8 8zm15-1v2a4 4 0 0 1 0 6v2a6 6 0 0 0 0-10z" />
    </svg>
  );
}
