// What the page knows and does: the session, the board behind the feed, which alarm is looked at, what is being written.
// Views read it and call it; it tells them when something changed.

import { Api, ApiError } from './api';
import { pause } from './beat';
import * as boards from './board';
import type { Board } from './board';
import { Feed } from './feed';
import { recall, remember } from './memory';
import { type Noise, Sound } from './sound';
import { Pressing } from './press';
import { preferredLanguage, sayIn, wordIn, type Key, type Language, type Say } from './texts';
import type { Alarm, Deed, Disposition, Endpoint, JournalEvent, Kind, Mode, Role, Session, Site, SiteGuide, State } from './types';

const ASK_AGAIN_MS = 300; // about one alarm
const ASKS_AT_ONCE = 3;
const INSIST_MS = 1000; // between attempts to read what the page needs
const LOOKED_AT_MS = 500; // about an alarm shorter on the screen nothing is done: key or click may have been meant for another

export interface Draft {
  form: 'note' | 'close' | null;
  note: string;
  disposition: Disposition | null;
}

const NO_DRAFT: Draft = { form: null, note: '', disposition: null };

/** The alarms are what is looked at, and not another view. */
export function boardIsInFront(): boolean {
  return /^(#\/?)?$/.test(location.hash);
}

export class Desk {
  readonly api = new Api();
  readonly sound = new Sound();
  readonly press = new Pressing(this.api, () => this.changed());
  account: Session | null = null;
  signedOutBecause: 'ended' | null = null;
  /** Who was signed in last in this page: what that person wrote is kept for the next sign-in. */
  lastAccount: string | null = null;
  starting = true;
  /** The daemon has said what is open. Before, the board knows only what it heard since. */
  isRead = false;
  language: Language = preferredLanguage();
  say: Say = sayIn(this.language);
  board: Board = boards.EMPTY;
  sites: ReadonlyMap<string, Site> = new Map();
  guides = new Map<string, SiteGuide>();
  endpoints: ReadonlyMap<string, Endpoint> = new Map();
  live = false;
  lastLiveMs: number | null = null;
  /** Alarms that came while something was being written; the page names them and does not jump. */
  arrived: string[] = [];
  dark = recall('dark') === 'yes';
  keys = recall('keys') !== 'no';

  private ordered: { board: Board; role?: Role; alarms: Alarm[] } = { board: boards.EMPTY, alarms: [] };
  private feed: Feed | null = null;
  private renewal = Promise.resolve(); // until the daemon has answered it
  private chosen: string | null = null;
  private shown: string | null = null;
  private lookedAt = false;
  private looking: ReturnType<typeof setTimeout> | undefined;
  private drafts = new Map<string, Draft>();
  private messages = new Map<string, string>();
  private sending = new Map<string, { deed: Deed; done: Promise<boolean> }>();
  /** Each alarm as it was when it was silenced: a press that joins, an escalation, a reopening sound again. */
  private muted = new Map<string, Alarm>();
  private lossMuted = false;
  private asking = new Map<string, number>(); // alarm → when it may be asked for again
  private views = new Set<() => void>();

  constructor() {
    this.api.onRefused = (csrf) => this.refused(csrf);
    this.sound.onChange = () => this.changed();
    addEventListener('hashchange', () => this.changed());
    document.addEventListener('visibilitychange', () => this.changed());
  }

  // --- Telling the views.
  subscribe(view: () => void): () => void {
    this.views.add(view);
    return () => this.views.delete(view);
  }

  private changed(): void {
    this.press.follow((alarm) => this.board.alarms.get(alarm)?.state);
    this.noteShown();
    this.sound.play(this.sounding());
    for (const view of this.views) view();
  }

  /** Which alarm somebody can see; behind another view, or in a tab that is not in front, none. */
  private noteShown(): void {
    const id = (boardIsInFront() && !document.hidden && this.current()?.id) || null;
    if (id === this.shown) return;
    this.shown = id;
    this.lookedAt = false;
    clearTimeout(this.looking);
    this.looking = setTimeout(() => {
      this.lookedAt = true;
      this.changed();
    }, LOOKED_AT_MS);
  }

  /** It was long enough on the screen for what is done now to be meant for it. */
  isLookedAt(id: string): boolean {
    return this.lookedAt && this.shown === id;
  }

  setLanguage(language: Language): void {
    this.language = language;
    this.say = sayIn(language);
    remember('language', language);
    this.changed();
  }

  setSwitch(name: 'dark' | 'keys', on: boolean): void {
    this[name] = on;
    remember(name, on ? 'yes' : 'no');
    this.changed();
  }

  // --- Who.
  async resume(): Promise<void> {
    try {
      this.enter(await this.api.session());
    } catch {
      /* nobody is signed in, or nobody answers: the form says so when it is used */
    }
    this.starting = false;
    this.changed();
  }

  async signIn(account: string, password: string): Promise<void> {
    this.enter(await this.api.signIn(account, password));
    this.changed();
  }

  /** A new session in the place of the one that is about to end; the feed goes on under it. */
  async renew(password: string): Promise<void> {
    const answer = this.api.signIn(this.account?.account ?? '', password);
    this.renewal = answer.then(() => {}, () => {});
    this.account = await answer;
    this.changed();
  }

  /** The session is over, unless it was renewed since that was asked: question and refusal may cross the renewal. */
  private async refused(csrf: string): Promise<void> {
    await this.renewal;
    if (csrf === this.api.csrf) this.ended('ended');
  }

  private enter(session: Session): void {
    if (session.account !== this.lastAccount) this.forgetPerson();
    this.account = session;
    this.lastAccount = session.account;
    this.signedOutBecause = null;
    void this.insist(() => this.readSurroundings());
    this.feed = new Feed(this.api, {
      onConnected: () => {
        void this.insist(() => this.readAlarms());
        void this.insist(() => this.readTroubles());
      },
      onEvent: (event) => this.heard(event),
      onLive: (live) => this.setLive(live),
    });
    this.feed.start();
    this.press.resume(session.account);
  }

  async signOut(everywhere = false): Promise<void> {
    await this.api.signOut(everywhere).catch(() => {});
    this.ended(null);
  }

  private ended(because: 'ended' | null): void {
    if (!this.account) return;
    this.feed?.stop();
    this.feed = null;
    this.press.stop();
    this.account = null;
    this.signedOutBecause = because;
    this.board = boards.EMPTY;
    this.isRead = false;
    this.live = false;
    this.lastLiveMs = null;
    if (because === null) this.forgetPerson();
    this.changed();
  }

  private forgetPerson(): void {
    this.lastAccount = null;
    this.chosen = null;
    this.drafts.clear();
    this.messages.clear();
    this.muted.clear();
  }

  // --- What is.
  private async readSurroundings(): Promise<void> {
    const [sites, endpoints] = await Promise.all([this.api.sites(), this.api.endpoints()]);
    this.sites = new Map(sites.map((site) => [site.id, site]));
    this.endpoints = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]));
    for (const site of sites.slice(0, 1)) void this.readGuide(site.id).catch(() => {});
  }

  /** Who is signed in may have become somebody who answers alarms, or is nobody of that kind any more. */
  private async readAccount(): Promise<void> {
    const now = await this.api.me();
    if (this.account) this.account = { ...this.account, ...now };
  }

  async readGuide(site: string): Promise<void> {
    this.guides.set(site, await this.api.site(site));
    this.changed();
  }

  /** Everything open, whenever the feed stands (again): what happens from now on comes over the feed. */
  private async readAlarms(): Promise<void> {
    const asked = this.board;
    const alarms = await this.api.openAlarms();
    this.board = boards.listed(this.board, alarms, asked);
    if (this.press.alarm) this.board = boards.stale(this.board, this.press.alarm); // it may have been closed unheard
    this.isRead = true;
    this.ask();
  }

  private async readTroubles(): Promise<void> {
    const asked = this.board;
    const troubles = await this.api.troubles();
    this.board = boards.troubled(this.board, troubles, asked);
  }

  /** Again until the daemon has answered, as long as somebody is signed in. */
  private async insist(read: () => Promise<void>): Promise<void> {
    while (this.account) {
      try {
        await read();
        this.changed();
        return;
      } catch {
        await pause(INSIST_MS);
      }
    }
  }

  private setLive(live: boolean): void {
    if (!live) this.lastLiveMs = this.live ? Date.now() : this.lastLiveMs;
    this.live = live;
    if (live) this.lossMuted = false;
    this.changed();
  }

  private heard(event: JournalEvent): void {
    const isNew = event.type === 'press_received' && !!event.alarm && !this.board.alarms.has(event.alarm);
    this.board = boards.apply(this.board, event, this.sites);
    if (isNew && event.alarm) this.arrive(event.alarm);
    if (event.type === 'conf_loaded') {
      void this.insist(() => this.readSurroundings());
      void this.insist(() => this.readAccount());
    }
    this.changed();
    this.ask();
  }

  /** A new alarm is looked at at once, unless somebody is writing or looks at one that is graver. */
  private arrive(id: string): void {
    if (this.writing()) this.arrived = [...this.arrived, id];
    else this.chosen = null;
    if (this.account?.may_answer && !location.hash.startsWith('#/replay')) location.hash = '#/';
  }

  /** Asks the daemon about the alarms that are stale, the one that is looked at first, never twice at once. */
  private ask(): void {
    const now = performance.now();
    const current = this.current()?.id;
    const stale = [...this.board.stale].sort((a, b) => Number(b === current) - Number(a === current));
    for (const id of stale) {
      const due = this.asking.get(id) ?? 0;
      if (due > now || [...this.asking.values()].filter((at) => at === Infinity).length >= ASKS_AT_ONCE) continue;
      void this.askOne(id);
    }
  }

  private async askOne(id: string): Promise<void> {
    this.asking.set(id, Infinity);
    try {
      const alarm = await this.api.alarm(id);
      if (alarm.guide) this.guides.set(alarm.site.id, alarm.guide);
      this.board = boards.told(this.board, alarm);
    } catch (error) {
      if (error instanceof ApiError && error.problem.status === 404) this.board = boards.without(this.board, id);
    }
    this.asking.set(id, performance.now() + ASK_AGAIN_MS);
    setTimeout(() => this.ask(), ASK_AGAIN_MS + 5);
    this.changed();
    this.ask();
  }

  /** The site's own time zone; while it is not known, the browser's. */
  zone(site: string | undefined): string | undefined {
    return this.guides.get(site ?? '')?.time_zone;
  }

  /** The zone of what is about no site, where all sites whose zone is known agree. */
  homeZone(): string | undefined {
    const zones = new Set([...this.guides.values()].map((guide) => guide.time_zone));
    return zones.size === 1 ? [...zones][0] : undefined;
  }

  // --- What is looked at.
  /** Put in order once for each board: hundreds at once are asked for many times while one event is drawn. */
  openAlarms(): Alarm[] {
    const board = this.board, role = this.account?.role;
    if (this.ordered.board !== board || this.ordered.role !== role)
      this.ordered = { board, role, alarms: boards.openAlarms(board, role) };
    return this.ordered.alarms;
  }

  /** How far it is for the role of who is signed in. */
  stateOf(alarm: Alarm): State {
    return boards.stateFor(alarm, this.account?.role);
  }

  /** How far who is signed in has come, and whose next deed is asked: what others have done is not done by that role. */
  ownPart(alarm: Alarm): { reached: State; stands: State } {
    const role = this.account?.role;
    return { reached: boards.reachedBy(alarm, role), stands: boards.standsFor(alarm, role) };
  }

  /** It is for who is signed in to take it. */
  isUntaken(alarm: Alarm): boolean {
    return this.stateOf(alarm) === 'open';
  }

  untaken(): Alarm[] {
    return this.openAlarms().filter((alarm) => this.isUntaken(alarm));
  }

  /** How it stands, in words. */
  standing(alarm: Alarm): string {
    return this.isUntaken(alarm) && boards.isHalfTaken(alarm) ? this.say('alarm.halftaken') : this.say(`state.${this.stateOf(alarm)}`);
  }

  current(): Alarm | null {
    const chosen = this.chosen ? this.board.alarms.get(this.chosen) : undefined;
    return chosen ?? this.openAlarms()[0] ?? null;
  }

  choose(id: string | null): void {
    const leaving = this.current();
    this.chosen = id;
    const untaken = this.untaken().map((alarm) => alarm.id);
    this.arrived = this.arrived.filter((other) => other !== id && untaken.includes(other));
    if (leaving?.state === 'closed' && leaving.id !== id) this.board = boards.without(this.board, leaving.id);
    this.changed();
    this.ask();
  }

  chooseNext(by: 1 | -1): void {
    const alarms = this.openAlarms();
    const at = alarms.findIndex((alarm) => alarm.id === this.current()?.id);
    const next = alarms[Math.min(Math.max(at + by, 0), alarms.length - 1)];
    if (next) this.choose(next.id);
  }

  /** The next one that is to be taken. */
  chooseUntaken(): void {
    const current = this.current()?.id;
    const next = this.untaken().find((alarm) => alarm.id !== current);
    if (next) this.choose(next.id);
  }

  untakenBeside(id: string): number {
    return this.untaken().filter((alarm) => alarm.id !== id).length;
  }

  // --- Sound.
  private sounding(): Noise | null {
    if (this.account && !this.account.may_answer) return null;
    const first = this.openAlarms().find((alarm) => this.asksFor(alarm));
    if (first) return boards.look(first);
    return this.isBlind() && !this.lossMuted ? 'lost' : null;
  }

  /** Alarms reached this screen, and do not any more. */
  private isBlind(): boolean {
    return this.account ? !this.live && this.lastLiveMs !== null : this.signedOutBecause !== null;
  }

  /** Something is asked of who is signed in. The daemon does not ask a role again that has taken it while another has not: a
   * press that joins then is heard until it is silenced or answered. */
  private asksFor(alarm: Alarm): boolean {
    const muted = this.muted.get(alarm.id), role = this.account?.role;
    if (this.isUntaken(alarm)) return alarm.version > (muted?.version ?? -1);
    return !!role && boards.isHalfTaken(alarm) && boards.pressedSince(alarm, role) && alarm.press_count > (muted?.press_count ?? 0);
  }

  get isSounding(): Noise | null {
    return this.sounding();
  }

  mute(): void {
    this.lossMuted = this.isBlind();
    for (const alarm of this.openAlarms()) this.muted.set(alarm.id, alarm);
    this.changed();
  }

  allowSound(): void {
    if (!this.sound.allowed) this.sound.allow(() => {
      this.sound.play(null);
      this.changed();
    });
  }

  // --- What is being written. Nothing of it is lost by Escape or by looking at another alarm.
  draft(id: string): Draft {
    return this.drafts.get(id) ?? NO_DRAFT;
  }

  write(id: string, change: Partial<Draft>): void {
    this.drafts.set(id, { ...this.draft(id), ...change });
    this.changed();
  }

  writing(): boolean {
    const current = this.current();
    return !!current && this.draft(current.id).form !== null;
  }

  // --- What a person does.
  message(id: string): string | undefined {
    return this.messages.get(id);
  }

  isSending(id: string): boolean {
    return this.sending.has(id);
  }

  /** By a key: only what was long enough on the screen to have been meant. */
  actByKey(deed: Deed): void {
    const alarm = this.current();
    if (!alarm || !this.isLookedAt(alarm.id)) return;
    if (deed !== 'acknowledge' || this.isUntaken(alarm)) void this.act(alarm.id, deed);
  }

  /** One deed about an alarm after the other; the same again while it is on its way was meant once. */
  async act(id: string, deed: Deed, body: Record<string, unknown> = {}): Promise<boolean> {
    if (!this.account?.may_answer) return false;
    this.chosen = id;
    for (let before; (before = this.sending.get(id)); await before.done) if (before.deed === deed) return false;
    const done = this.send(id, deed, body);
    this.sending.set(id, { deed, done });
    this.changed();
    return done;
  }

  private async send(id: string, deed: Deed, body: Record<string, unknown>): Promise<boolean> {
    this.messages.delete(id);
    let done = false;
    try {
      const answer = await this.api.deed(id, deed, body);
      done = true;
      const known = this.board.alarms.get(id);
      if (answer.alarm) this.board = boards.told(this.board, { ...known, ...answer.alarm });
    } catch (error) {
      this.messages.set(id, this.why(error));
    }
    this.sending.delete(id);
    this.board = boards.stale(this.board, id);
    this.changed();
    this.ask();
    return done;
  }

  async note(id: string): Promise<void> {
    if (await this.act(id, 'notes', { text: this.draft(id).note })) this.write(id, NO_DRAFT);
  }

  async close(alarm: Alarm): Promise<void> {
    const { disposition, note } = this.draft(alarm.id);
    if (!disposition) return;
    const body = { disposition, seen_version: alarm.version, ...(note ? { note } : {}) };
    if (await this.act(alarm.id, 'close', body)) this.write(alarm.id, NO_DRAFT);
  }

  /** What the daemon says: in its own words, which are English, or by the problem's type. */
  reason({ word, problem }: ApiError): string {
    if (this.language === 'en' && problem.detail) return problem.detail;
    return wordIn(this.language, 'problem', word) + (problem.field ? ` (${problem.field})` : '');
  }

  /** Why something could not be read. */
  unread(error: unknown): string {
    if (!(error instanceof ApiError)) return String(error);
    return error.word === 'unreachable' ? this.say('live.never') : this.say('fail.read', { detail: this.reason(error) });
  }

  /** What it is, in one breath: "DRILL FIRE". */
  what({ kind, mode }: { kind: Kind; mode: Mode }): string {
    return this.marked(mode, this.say(`kind.${kind}`));
  }

  /** Of everything that is a test or a drill that is the first word. */
  marked(mode: Mode | undefined, text: string): string {
    return !mode || mode === 'real' ? text : `${this.say(`mode.${mode}`)} ${text}`;
  }

  private why(error: unknown): string {
    if (!(error instanceof ApiError)) return String(error);
    const { by, state } = error.problem;
    const values = { by: by ?? '?', state: state ? this.say(`state.${state}`) : '?', detail: this.reason(error) };
    const known: Record<string, Key> = {
      already: 'fail.already', unseen: 'fail.unseen', impossible: 'fail.impossible',
      unreachable: 'fail.unreachable', unrecorded: 'fail.unrecorded',
    };
    return this.say(known[error.word] ?? 'fail.other', values);
  }
}
