// The worker of beat.ts: nothing but the beat.

const BEAT_MS = 200;
setInterval(() => postMessage(null), BEAT_MS);
