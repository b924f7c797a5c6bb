// The sounds of the desk, made by the browser itself. What is grave cannot be mistaken for what is everyday; a drill and a
// test sound once and softly.

import type { Look } from './board';

interface Tone {
  hz: number;
  at: number; // s from the pattern's beginning
  for: number;
  volume: number;
  shape: OscillatorType;
}

const tone = (hz: number, at: number, length: number, volume: number, shape: OscillatorType): Tone =>
  ({ hz, at, for: length, volume, shape });

/** lost: alarms do not reach this screen. */
export type Noise = Look | 'lost';

/** `every`: s from one beginning to the next; 0 = once. */
const PATTERNS: Record<Noise, { every: number; tones: Tone[] }> = {
  grave: { every: 1.2, tones: [tone(970, 0, 0.3, 0.5, 'square'), tone(650, 0.3, 0.3, 0.5, 'square'),
    tone(970, 0.6, 0.3, 0.5, 'square'), tone(650, 0.9, 0.25, 0.5, 'square')] },
  everyday: { every: 4, tones: [tone(660, 0, 0.35, 0.4, 'sine'), tone(523, 0.4, 0.6, 0.4, 'sine')] },
  drill: { every: 0, tones: [tone(440, 0, 0.2, 0.2, 'sine'), tone(440, 0.3, 0.2, 0.2, 'sine')] },
  lost: { every: 5, tones: [tone(330, 0, 0.25, 0.35, 'sine'), tone(262, 0.35, 0.5, 0.35, 'sine')] },
  test: { every: 0, tones: [tone(880, 0, 0.12, 0.12, 'sine')] },
};

export class Sound {
  private context: AudioContext | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;
  private playing: Noise | null = null;
  /** Called when the browser gives the sound, or takes it away. */
  onChange: () => void = () => {};

  /** Browsers allow sound only after a key or a click; called at each of them until it is allowed. */
  allow(onAllowed: () => void): void {
    if (!this.context) {
      this.context = new AudioContext();
      this.context.onstatechange = () => this.onChange();
    }
    if (this.context.state === 'running') onAllowed();
    else void this.context.resume().then(onAllowed, () => {});
  }

  get allowed(): boolean {
    return this.context?.state === 'running';
  }

  /** From now on this, until told otherwise; null = nothing. */
  play(what: Noise | null): void {
    if (what === this.playing) return;
    this.playing = what;
    clearInterval(this.timer);
    if (!what) return;
    const pattern = PATTERNS[what];
    this.once(pattern.tones);
    if (pattern.every) this.timer = setInterval(() => this.once(pattern.tones), pattern.every * 1000);
  }

  private once(tones: Tone[]): void {
    const context = this.context;
    if (!context || context.state !== 'running') return;
    for (const t of tones) {
      const start = context.currentTime + t.at;
      const oscillator = new OscillatorNode(context, { type: t.shape, frequency: t.hz });
      const gain = new GainNode(context, { gain: 0 });
      gain.gain.setValueAtTime(0, start);
      gain.gain.linearRampToValueAtTime(t.volume, start + 0.01);
      gain.gain.setValueAtTime(t.volume, start + t.for - 0.03);
      gain.gain.linearRampToValueAtTime(0, start + t.for);
      oscillator.connect(gain).connect(context.destination);
      oscillator.start(start);
      oscillator.stop(start + t.for);
    }
  }
}
