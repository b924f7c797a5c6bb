// The software button: a press is kept in this browser, also over a reload, and repeated, always the same, until the daemon
// has answered for it. The daemon takes a repetition for the same press (proto/mqtt.md).

import { ApiError, type Api } from './api';
import { after } from './beat';
import { recall, remember, remembered } from './memory';

const AGAIN_S = [1, 2, 4, 8, 10]; // between repetitions, then every 10 s
const FAULT_MS = 100_000; // without an answer for so long it is a fault, and goes on being repeated
const STALE_MS = 600_000; // found after a reload and older than this: not sent any more, nobody may be there now

export type ButtonState = 'idle' | 'sending' | 'received' | 'coming' | 'fault';
export type ButtonFault = 'late' | 'refused' | 'stale' | 'unrecorded';

const KEPT = 'press.'; // and the account: where its press is kept

interface Press {
  body: { epoch: string; n: number; at: string; test: boolean };
  sinceMs: number;
  alarm?: string; // once it was answered
  stage?: string; // how far its alarm is
}

function recalled<T>(key: string): T | null {
  try {
    return JSON.parse(recall(key) ?? 'null') as T | null;
  } catch {
    return null;
  }
}

/** False: this browser keeps nothing. A press goes out all the same; it only does not outlive a reload. */
function keep(key: string, value: unknown): boolean {
  return remember(key, value === null ? null : JSON.stringify(value));
}

function isStale(press: Press): boolean {
  return press.stage === undefined && Date.now() - press.sinceMs > STALE_MS;
}

export class Pressing {
  fault: ButtonFault | null = null;
  /** Whether what was pressed last is a test, also after it was given up. */
  isTest = false;
  private account = '';
  private stopped = true; // nobody is signed in
  private press: Press | null = null;
  private tries = 0;
  private callOff = () => {}; // the repetition that is waited for

  constructor(private readonly api: Api, private readonly changed: () => void) {}

  /** Somebody is signed in: what was pressed here and not answered goes on. */
  resume(account: string): void {
    const unkept = account === this.account ? this.press : null;
    this.account = account;
    this.stopped = false;
    this.fault = null;
    this.press = recalled<Press>(this.key) ?? unkept;
    if (this.press?.stage === 'closed') this.press = null;
    this.isTest = this.press?.body.test ?? false;
    if (!this.press) return;
    if (isStale(this.press)) this.giveUp('stale');
    else void this.send();
  }

  /** A call for help was not answered yet. A test does not take its place: it goes on until it is answered. */
  get isCalling(): boolean {
    return !!this.press && this.press.stage === undefined && !this.press.body.test;
  }

  /** Nobody is signed in any more. What was not answered is kept for whoever pressed. */
  stop(): void {
    this.callOff();
    this.stopped = true;
  }

  /** Somebody called for help here and was not answered, and as long as nobody signs in it is not sent. */
  get isHeldUp(): boolean {
    if (!this.stopped) return false;
    const kept = remembered().filter((key) => key.startsWith(KEPT)).map((key) => recalled<Press>(key));
    return [...kept, this.press].some((press) => press && press.stage === undefined && !press.body.test && !isStale(press));
  }

  begin(test: boolean): void {
    if (test && this.isCalling) return;
    this.callOff();
    this.fault = null;
    this.tries = 0;
    this.isTest = test;
    this.press = { body: { ...this.identity(), at: new Date(this.api.nowMs()).toISOString(), test }, sinceMs: Date.now() };
    this.keep();
    void this.send();
    this.changed();
  }

  /** The alarm that the press opened or joined, until it is known to be closed. */
  get alarm(): string | undefined {
    return this.press?.stage === 'closed' ? undefined : this.press?.alarm;
  }

  /** What the board says of the alarm is kept: a closed alarm leaves the board. */
  follow(stateOf: (alarm: string) => string | undefined): void {
    const stage = this.press?.alarm && stateOf(this.press.alarm);
    if (!this.press || !stage || stage === this.press.stage) return;
    this.press = { ...this.press, stage };
    this.keep();
  }

  get state(): ButtonState {
    if (this.fault === 'refused' || this.fault === 'stale') return 'fault';
    if (!this.press || this.press.stage === 'closed') return 'idle';
    if (this.press.stage === undefined) return this.fault ? 'fault' : 'sending';
    return this.press.stage === 'coming' || this.press.stage === 'on_scene' ? 'coming' : 'received';
  }

  private get key(): string {
    return KEPT + this.account;
  }

  private keep(): void {
    keep(this.key, this.press);
  }

  /** One epoch for each browser and account; the counter is on the disk before it is used. A counter that could not be kept
   * is not used again: each press then has an epoch of its own. */
  private identity(): { epoch: string; n: number } {
    const key = `counter.${this.account}`;
    const last = recalled<{ epoch: string; n: number }>(key);
    const random = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    const fresh = { epoch: `w${random}`, n: 1 };
    const next = last ? { epoch: last.epoch, n: last.n + 1 } : fresh;
    return keep(key, next) ? next : fresh;
  }

  private async send(): Promise<void> {
    const press = this.press;
    if (!press || this.stopped) return;
    try {
      const { alarm, stage } = await this.api.press(press.body);
      if (press !== this.press) return;
      this.fault = null;
      this.press = { ...press, alarm, stage };
      this.keep();
    } catch (error) {
      if (press === this.press && !this.stopped) this.failed(press, error);
    }
    this.changed();
  }

  private failed(press: Press, error: unknown): void {
    const word = error instanceof ApiError ? error.word : '';
    if (word === 'refused' || word === 'forbidden') {
      this.giveUp('refused');
      return;
    }
    if (word === 'unrecorded') this.fault = 'unrecorded';
    else if (Date.now() - press.sinceMs > FAULT_MS) this.fault = 'late';
    const wait = AGAIN_S[Math.min(this.tries++, AGAIN_S.length - 1)] ?? 10;
    this.callOff = after(wait * 1000, () => void this.send());
  }

  private giveUp(fault: ButtonFault): void {
    this.fault = fault;
    this.press = null;
    this.keep();
  }
}
