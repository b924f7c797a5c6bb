// The live feed: server-sent events (WHATWG HTML 9.2) read through fetch, because an EventSource hides the pings by which
// a dead connection is known. Resumes by id over every interruption, without gap or double.
//
//     const feed = new Feed(api, { onConnected, onEvent, onLive });
//     feed.start();        // then onEvent for everything that happens from now on
//     feed.stop();

import type { Api } from './api';
import { onBeat, pause } from './beat';
import type { JournalEvent } from './types';

const SILENCE_MS = 4000; // two pings (one every 2 s) missed: the connection is dead, and 5 s are not over
const AGAIN_MS = 500; // between attempts

export interface Message {
  id: string | null;
  data: string;
}

/** Cuts a stream of text into messages; what is not complete yet waits. */
export class MessageReader {
  private rest = '';
  private id: string | null = null;
  private data: string[] = [];

  /** The messages that are complete with this piece. A message without data still tells its id. */
  push(text: string): Message[] {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? '';
    const messages: Message[] = [];
    for (const line of lines) {
      if (line === '') {
        if (this.id !== null || this.data.length > 0) messages.push({ id: this.id, data: this.data.join('\n') });
        this.id = null;
        this.data = [];
      } else {
        this.field(line);
      }
    }
    return messages;
  }

  private field(line: string): void {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'id') this.id = value;
    else if (name === 'data') this.data.push(value);
  }
}

export interface FeedListener {
  /** The feed stands (again): what is read from the daemon now is not older than what comes next. */
  onConnected: () => void;
  onEvent: (event: JournalEvent) => void;
  /** Whether what is shown is live. */
  onLive: (live: boolean) => void;
}

export class Feed {
  private last: number | null = null; // the newest seq heard
  private heardMs = 0;
  private live = false;
  private stopped = false;
  private connection: AbortController | null = null;
  private unwatch = () => {};

  constructor(private readonly api: Api, private readonly listener: FeedListener) {}

  start(): void {
    this.heardMs = performance.now();
    this.unwatch = onBeat(() => this.look());
    void this.follow();
  }

  stop(): void {
    this.stopped = true;
    this.unwatch();
    this.connection?.abort();
  }

  private look(): void {
    if (performance.now() - this.heardMs < SILENCE_MS) return;
    this.setLive(false);
    this.heardMs = performance.now();
    this.connection?.abort();
  }

  private setLive(live: boolean): void {
    if (live === this.live) return;
    this.live = live;
    this.listener.onLive(live);
  }

  private async follow(): Promise<void> {
    while (!this.stopped) {
      const began = performance.now();
      const end = await this.once().catch(() => 'failed');
      // It was much, or the session was renewed: the daemon ended the answer and is asked again at once. A refusal that
      // stopped nothing was meant for the session before.
      if (end === 'moved' || end === 'refused' || (end === 'ended' && performance.now() - began > AGAIN_MS)) continue;
      this.setLive(false);
      await pause(AGAIN_MS);
    }
  }

  /** One connection, until it ends; whether it brought something new. */
  private async once(): Promise<'moved' | 'ended' | 'refused' | 'failed'> {
    this.connection = new AbortController();
    this.heardMs = performance.now();
    const before = this.last, csrf = this.api.csrf;
    const headers: Record<string, string> = this.last === null ? {} : { 'Last-Event-ID': String(this.last) };
    const answer = await fetch('/api/v1/feed', {
      headers, credentials: 'same-origin', signal: this.connection.signal,
    });
    if (answer.status === 401) {
      await this.api.onRefused(csrf);
      return 'refused';
    }
    if (!answer.ok || !answer.body) return 'failed';
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const messages = new MessageReader();
    for (let first = true; ; first = false) {
      const { value, done } = await reader.read();
      if (done) return this.last !== before ? 'moved' : 'ended';
      this.heardMs = performance.now();
      this.setLive(true);
      if (first) this.listener.onConnected();
      for (const message of messages.push(value)) this.take(message);
    }
  }

  private take(message: Message): void {
    const seq = message.id === null ? null : Number(message.id);
    if (message.data && seq !== null && this.last !== null && seq <= this.last) return;
    if (seq !== null) this.last = seq; // without data: the daemon says how far we are
    if (message.data) this.listener.onEvent(JSON.parse(message.data) as JournalEvent);
  }
}
