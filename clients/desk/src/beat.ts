// A beat, five times a second, that goes on in a tab that nobody looks at: there a browser lets the page's own timers run once a
// minute, and a desk would be blind for a minute before it is heard. A worker's timers are left alone.
//
//     const stop = onBeat(look);
//     await pause(500);        // that long, or a beat longer
//     const callOff = after(500, look);

const BEAT_MS = 200;
const listeners = new Set<() => void>();
let worker: Worker | null = null;
let timer: ReturnType<typeof setInterval> | undefined; // where there is no worker

function beat(): void {
  for (const listener of [...listeners]) listener();
}

function byTimer(): void {
  worker = null;
  timer ??= setInterval(beat, BEAT_MS);
}

function start(): void {
  if (worker || timer !== undefined) return;
  try {
    worker = new Worker(new URL('./beat_worker.ts', import.meta.url), { type: 'module' });
    worker.onmessage = beat;
    worker.onerror = byTimer;
  } catch {
    byTimer();
  }
}

/** Calls `listener` at each beat, until what is given back is called. */
export function onBeat(listener: () => void): () => void {
  listeners.add(listener);
  start();
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** Calls `run` once, after so long, unless what is given back is called before. */
export function after(ms: number, run: () => void): () => void {
  const began = performance.now();
  const stop = onBeat(() => {
    if (performance.now() - began < ms) return;
    stop();
    run();
  });
  return stop;
}

export function pause(ms: number): Promise<void> {
  return new Promise((done) => void after(ms, done));
}
