// What the daemon says: proto/openapi.yaml, as far as the page reads it.

export type Kind = 'cancel' | 'intrusion' | 'medical' | 'generic' | 'panic' | 'fire' | 'attack';
export type Mode = 'real' | 'drill' | 'test';
export type State = 'open' | 'acknowledged' | 'coming' | 'on_scene' | 'closed';
export type Disposition = 'real' | 'false' | 'accidental' | 'test' | 'drill' | 'duplicate';
export type Role = 'police' | 'bureau' | 'guard' | 'admin' | 'viewer';
export type Deed = 'acknowledge' | 'coming' | 'on-scene' | 'close' | 'notes';

export interface Session {
  account: string;
  name: string;
  role: Role;
  sites: string[] | null; // null = all
  may_answer: boolean;
  may_read_journal: boolean;
  /** What the account presses as; null = it may not press. */
  presses_as: { site: Place; id: string; zone?: Place } | null;
  csrf: string | null;
  expires_at: string | null;
}

export interface Place {
  id: string;
  name?: string;
}

export interface Contact {
  name?: string;
  phone?: string;
}

export interface SiteHead extends Place {
  address?: string;
  latitude?: number;
  longitude?: number;
  contacts?: Contact[];
}

export interface Site extends SiteHead {
  plan: string;
  zones: Place[];
  device_count: number;
  alarms_open: number;
}

export interface Camera {
  name: string;
  url: string;
}

export interface SiteMap {
  id: string;
  name: string;
  image: string;
}

export interface Zone extends Place {
  map?: string;
  x?: number; // percent of the map's width, from the left
  y?: number; // percent of its height, from the top
  cameras: Camera[];
}

/** A site with all that is needed to find it and to get in. */
export interface SiteGuide extends SiteHead {
  access?: string;
  time_zone: string;
  plan: string;
  maps: SiteMap[];
  cameras: Camera[];
  zones: Zone[];
}

export interface Due {
  what: 'answer' | 'coming' | 'test' | 'forget';
  at: string;
}

export interface Press {
  device: string;
  epoch?: string;
  n?: number;
  kind: Kind;
  zone?: Place;
  at: string;
}

export type DeliveryState = 'waiting' | 'pending' | 'sent' | 'received' | 'unconfirmed' | 'refused' | 'failing';

export interface Delivery {
  endpoint: string;
  name?: string;
  role: string;
  step: number;
  state: DeliveryState;
  version: number;
  attempts: number;
  since: string | null;
  http_status?: number;
}

export interface Alarm {
  id: string;
  site: SiteHead;
  class: string;
  mode: Mode;
  kind: Kind;
  state: State;
  version: number;
  opened_at: string;
  changed_at?: string;
  opened_seq?: number;
  recorded?: boolean;
  step: number;
  steps: number;
  exhausted?: boolean;
  step_due_at?: string | null;
  due?: Due[];
  cancels?: number;
  press_count: number;
  acks?: { role: Role; by: string | null }[];
  reached?: { role: Role; state: State }[];
  acknowledged_by?: string;
  coming_by?: string;
  on_scene_by?: string;
  closed_by?: string;
  disposition?: Disposition;
  deliveries?: Delivery[];
  presses?: Press[];
  events?: JournalEvent[];
  events_cut?: boolean;
  notes?: { seq: number; text: string }[];
  guide?: SiteGuide;
}

/** A closed alarm as the history tells it. */
export interface PastAlarm {
  id: string;
  seq: number;
  site: Place;
  zones: Place[];
  kind: Kind;
  mode: Mode;
  disposition: Disposition;
  opened_at: string;
  closed_at: string;
  acknowledged_s: number | null;
  press_count: number;
  acknowledged_by: string | null;
  closed_by: string | null;
}

export interface HistoryPage {
  alarms: PastAlarm[];
  next: number | null;
  complete: boolean;
}

/** How many alarms took how long: counts[0] up to limits_s[0], …, the last above the last limit. */
export interface Spread {
  limits_s: number[];
  counts: number[];
  never: number;
}

export interface Sums {
  alarms: number;
  presses: number;
  presses_by_hour: number[];
  received: Spread;
  acknowledged: Spread;
  coming: Spread;
  feedback: Spread;
}

export interface SiteFigures extends Place {
  presses: Record<Mode, number>;
  alarms: Record<Mode, number>;
  /** Real alarms of the last 12 months; share: 0 to 1. */
  year: { alarms: number; false_alarms: number; share: number | null };
}

export interface Figures extends Record<Mode, Sums> {
  sites: SiteFigures[];
  complete: boolean;
}

export interface Bundle {
  key: string;
  checkpoint: string;
  entries: { seq: number; line: string; path: string[] }[];
}

/** A moment of a course: what happened, or what today's plan would have done. */
export interface CourseEvent {
  after_ms: number;
  what: string;
  seq?: number;
  endpoint?: string;
  role?: Role;
  step?: number;
  change?: string;
  device?: string;
  zone?: string;
  kind?: Kind;
  deadline?: string;
  outcome?: string;
  attempt?: number;
  by?: string;
  disposition?: Disposition;
  state?: State;
  useless?: boolean;
}

export interface Course {
  plan: string;
  state: State;
  cut: boolean;
  timeline: CourseEvent[];
}

export interface Comparison {
  alarm: string;
  happened: Course;
  today: Course;
}

/** What was known at a moment of the past. */
export interface PastBoard {
  seq: number;
  at: string;
  alarms: Alarm[];
  troubles: Trouble[];
}

/** A journal line. Members beside the common ones depend on the type: proto/journal.md. */
export interface JournalEvent {
  seq: number;
  at: string;
  type: string;
  alarm?: string;
  site?: string;
  device?: string;
  zone?: string;
  kind?: Kind;
  mode?: Mode;
  odd?: string[];
  epoch?: string;
  n?: number;
  by?: string;
  role?: string;
  endpoint?: string;
  outcome?: string;
  status?: number;
  ms?: number;
  attempt?: number;
  version?: number;
  deadline?: string;
  step?: number;
  disposition?: Disposition;
  refusal?: string;
  code?: string;
  part?: string;
  text?: string;
  plan?: { id: string; steps: { answer_timeout_s: number; endpoints: { id: string; role: string }[] }[] };
}

export interface Device {
  site: string;
  id: string;
  zone?: Place;
  kind: Kind;
  disabled: boolean;
  silent_after_s: number;
  heard: boolean;
  heard_at: string | null;
  battery: number | null;
  silent: boolean;
  offline: boolean;
}

export interface Endpoint {
  id: string;
  name: string;
  role: string;
  state: 'up' | 'down' | 'unknown';
  text: string | null;
}

export interface Trouble {
  code: string;
  part: string;
  text: string;
  at: string;
  seq?: number;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  field?: string;
  by?: string;
  state?: State;
  version?: number;
  retry_after_s?: number;
}
