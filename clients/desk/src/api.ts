// Calls to the daemon. Every failure is an ApiError: the daemon's own words (RFC 9457), or that it was not reached.

import { readCheckpoint } from './proof';
import type {
  Alarm, Bundle, Comparison, Deed, Device, Endpoint, Figures, HistoryPage, JournalEvent, PastBoard, Problem, Session, Site,
  SiteGuide, Trouble,
} from './types';

const ANSWER_WITHIN_MS = 8000;
const REPLAY_WITHIN_MS = 20_000; // the daemon answers after 15 s that it goes on
const PERIOD_LINES = 5000;
const HISTORY_ROWS = 50; // a page: more than fits on a screen, little enough to be read at once

export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }

  /** The last word of `urn:tocsin:…`; "unreachable" when there was no answer. */
  get word(): string {
    return this.problem.type.replace('urn:tocsin:', '');
  }
}

function unreachable(): ApiError {
  return new ApiError({ type: 'urn:tocsin:unreachable', title: 'Unreachable', status: 0, detail: 'The daemon does not answer.' });
}

async function problemOf(answer: Response): Promise<ApiError> {
  try {
    return new ApiError((await answer.json()) as Problem);
  } catch {
    return new ApiError({ type: 'urn:tocsin:unknown', title: answer.statusText, status: answer.status, detail: `HTTP ${answer.status}` });
  }
}

/** Where a period that was not read to its end goes on. */
export interface Rest {
  from: number;
  to: string;
  size: number; // of the journal, when the period was asked for
}

export interface Period {
  events: JournalEvent[];
  rest: Rest | null;
}

type Query = Record<string, string | number | undefined>;

/** What is empty is not asked. */
function queryOf(values: Query): string {
  const asked = Object.entries(values).filter(([, value]) => value !== undefined && value !== '');
  return new URLSearchParams(asked.map(([name, value]) => [name, String(value)])).toString();
}

export class Api {
  /** The session's token against forged requests; "" while nobody is signed in. */
  csrf = '';
  /** The daemon's clock less ours, in ms, as far as its whole seconds tell: countdowns are the daemon's. */
  skewMs = 0;
  /** Called when an answer says that nobody is signed in any more, with the `csrf` under which it was asked. */
  onRefused: (csrf: string) => Promise<void> = async () => {};

  async ask(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = {}, csrf = this.csrf;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (method !== 'GET' && csrf) headers['X-CSRF-Token'] = csrf;
    let answer: Response;
    try {
      answer = await fetch('/api/v1/' + path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: 'same-origin',
        signal: signal ?? AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
    } catch {
      throw unreachable();
    }
    this.learnClock(answer);
    if (answer.ok) return answer;
    if (answer.status === 401 && path !== 'session') await this.onRefused(csrf);
    throw await problemOf(answer);
  }

  private learnClock(answer: Response): void {
    const date = Date.parse(answer.headers.get('Date') ?? '');
    if (Number.isNaN(date)) return;
    const skew = date + 500 - Date.now();
    this.skewMs = Math.abs(skew) > 1500 ? skew : 0;
  }

  nowMs(): number {
    return Date.now() + this.skewMs;
  }

  async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.ask(method, path, body);
    try {
      return (await answer.json()) as T;
    } catch {
      throw unreachable();
    }
  }

  // Who.
  async signIn(account: string, password: string): Promise<Session> {
    return this.began(await this.json<Session>('POST', 'session', { account, password }));
  }

  /** The session that the cookie stands for; an ApiError of status 401 when there is none. */
  async session(): Promise<Session> {
    return this.began(await this.json<Session>('GET', 'session'));
  }

  /** What the account may do by now. */
  async me(): Promise<Pick<Session, 'name' | 'role' | 'sites' | 'may_answer' | 'may_read_journal' | 'presses_as'>> {
    const { name, role, sites, may_answer, may_read_journal, presses_as } = await this.json<Session>('GET', 'me');
    return { name, role, sites, may_answer, may_read_journal, presses_as };
  }

  async signOut(everywhere: boolean): Promise<void> {
    await this.ask('DELETE', everywhere ? 'session?everywhere=true' : 'session');
    this.csrf = '';
  }

  private began(session: Session): Session {
    this.csrf = session.csrf ?? '';
    return session;
  }

  // What is.
  /** All of them, also of a city at once; the newest first. */
  async openAlarms(): Promise<Alarm[]> {
    const alarms: Alarm[] = [];
    for (let before: number | undefined; ; ) {
      const page: { alarms: Alarm[]; next: number | null } = await this.json('GET', `alarms?${queryOf({ state: 'open', limit: 1000, before })}`);
      alarms.push(...page.alarms);
      if (page.next === null || page.next === before) return alarms;
      before = page.next;
    }
  }

  /** A page of closed alarms that fit, the newest first. */
  history(question: Query, before?: number): Promise<HistoryPage> {
    return this.json('GET', `history?${queryOf({ ...question, limit: HISTORY_ROWS, before })}`);
  }

  figures(question: Query): Promise<Figures> {
    return this.json('GET', `figures?${queryOf(question)}`);
  }

  alarm(id: string): Promise<Alarm> {
    return this.json('GET', `alarms/${encodeURIComponent(id)}`);
  }

  async sites(): Promise<Site[]> {
    return (await this.json<{ sites: Site[] }>('GET', 'sites')).sites;
  }

  site(id: string): Promise<SiteGuide> {
    return this.json('GET', `sites/${encodeURIComponent(id)}`);
  }

  async troubles(): Promise<Trouble[]> {
    return (await this.json<{ troubles: Trouble[] }>('GET', 'troubles')).troubles;
  }

  async endpoints(): Promise<Endpoint[]> {
    return (await this.json<{ endpoints: Endpoint[] }>('GET', 'endpoints')).endpoints;
  }

  async devices(site: string): Promise<Device[]> {
    const devices: Device[] = [];
    for (let after = ''; ; ) {
      const page = await this.json<{ devices: Device[]; next: number | null }>(
        'GET', `devices?site=${encodeURIComponent(site)}&limit=1000${after}`);
      devices.push(...page.devices);
      if (page.next === null) return devices;
      after = `&after=${page.next}`;
    }
  }

  // What was, and whether the record holds.
  /** The lines written from one moment to another, or as many as are read at once: the first is found by halving. */
  async period(from: string, to: string): Promise<Period> {
    const size = readCheckpoint(await this.checkpoint())?.size ?? 0;
    let first = 1, end = size + 1;
    while (first < end) {
      const middle = Math.floor((first + end) / 2);
      const [line] = await this.lines(middle, 1);
      if (line && line.at < from) first = middle + 1;
      else end = middle;
    }
    return this.periodOn({ from: first, to, size });
  }

  /** A page may be shorter than was asked for although there are more. */
  async periodOn(rest: Rest): Promise<Period> {
    const lines = await this.lines(rest.from, PERIOD_LINES);
    const last = lines.at(-1), from = last ? last.seq + 1 : rest.from;
    const ended = from > rest.size || (last && last.at >= rest.to);
    return { events: lines.filter((line) => line.at < rest.to), rest: ended ? null : { ...rest, from } };
  }

  private async lines(from: number, limit: number): Promise<JournalEvent[]> {
    const text = await (await this.ask('GET', `journal?from=${from}&limit=${limit}`)).text();
    return text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as JournalEvent);
  }

  /** What was known after line `seq`; null: not ready yet, ask again. */
  async boardAt(seq: number, alarm: string | undefined): Promise<PastBoard | null> {
    const path = `replay?${queryOf({ seq, alarm })}`;
    try {
      return (await (await this.ask('GET', path, undefined, AbortSignal.timeout(REPLAY_WITHIN_MS))).json()) as PastBoard;
    } catch (error) {
      if (!(error instanceof ApiError) || error.problem.status !== 503) throw error;
    }
    await new Promise((done) => setTimeout(done, 300));
    return null;
  }

  /** What today's plan would have done, beside what happened; people answer when they did, or not at all. */
  today(id: string, answered: boolean): Promise<Comparison> {
    return this.json('GET', `alarms/${encodeURIComponent(id)}/today?answered=${answered ? 'yes' : 'no'}`);
  }

  /** Every line about an alarm with its proof. */
  bundle(id: string): Promise<Bundle> {
    return this.json('GET', this.bundlePath(id));
  }

  bundlePath(id: string): string {
    return `alarms/${encodeURIComponent(id)}/bundle`;
  }

  /** A line of the journal, its exact text. */
  async line(seq: number): Promise<string> {
    return (await (await this.ask('GET', `journal?from=${seq}&limit=1`)).text()).replace(/\n$/, '');
  }

  async checkpoint(): Promise<string> {
    return (await this.ask('GET', 'journal/checkpoint')).text();
  }

  proof(seq: number, size: number): Promise<{ path: string[] }> {
    return this.json('GET', `journal/proof?seq=${seq}&size=${size}`);
  }

  // What a person does.
  /** Presses; the same body again is the same press. */
  press(body: object): Promise<{ stage: string; alarm?: string }> {
    return this.json('POST', 'presses', body);
  }

  deed(id: string, deed: Deed, body: Record<string, unknown> = {}): Promise<{ seq: number; alarm?: Alarm }> {
    return this.json('POST', `alarms/${encodeURIComponent(id)}/${deed}`, body);
  }
}
