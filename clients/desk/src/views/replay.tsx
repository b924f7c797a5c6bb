// The replay room: what was known at each moment of an alarm or of a period, as the daemon's own core says it.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Period as PeriodRead, Rest } from '../api';
import { inOrder } from '../board';
import type { Desk } from '../desk';
import { beginOf, endOf, indexAt, passed, playOrPause, replayOf, SPEEDS, type Replay } from '../replay';
import { wordIn } from '../texts';
import { moment, momentOf, wallOf, zoneName } from '../time';
import type { Alarm, PastBoard } from '../types';
import { AlarmView } from './alarm';
import { Compare } from './compare';
import { Now } from './hooks';
import { Record } from './record';
import { Troubles } from './calm';

const FRAME_MS = 100;

/** `compares`: instead of replaying the alarm, it is laid beside what today's plan would do. */
export function ReplayView({ desk, alarm, compares }: { desk: Desk; alarm?: string; compares?: boolean }) {
  const [replay, setReplay] = useState<Replay | null>(null);
  const [rest, setRest] = useState<Rest | null>(null);
  const [story, setStory] = useState<Alarm | null>(null);
  const [failure, setFailure] = useState('');
  const load = (read: Promise<PeriodRead>, goesOn = false) => {
    setFailure('');
    read.then(
      ({ events, rest }) => {
        setRest(rest);
        if (goesOn) setReplay((r) => r && { ...r, events: [...r.events, ...events] });
        else if (events.length) setReplay(replayOf(events));
        else setFailure(desk.say('replay.nothing'));
      },
      (error: unknown) => setFailure(desk.unread(error)),
    );
  };
  useEffect(() => {
    setReplay(null);
    setRest(null);
    setStory(null);
    if (alarm) load(desk.api.alarm(alarm).then((told) => {
      if (told.guide) desk.guides.set(told.site.id, told.guide);
      setStory(told);
      return { events: told.events ?? [], rest: null };
    }));
  }, [alarm]);
  return (
    <div class="replay">
      <h1>
        {desk.say(compares ? 'compare.title' : 'nav.replay')}
        {story && <>: {desk.what(story)}, <bdi>{story.site.name ?? story.site.id}</bdi></>}
      </h1>
      {!alarm && <Period desk={desk} onPick={(from, to) => load(desk.api.period(from, to))} />}
      {alarm && <Ways desk={desk} alarm={alarm} compares={compares} />}
      <p role="alert" class="failure">{failure}</p>
      {alarm && compares && <Compare desk={desk} alarm={alarm} />}
      {replay && rest && (
        <p role="status" class="cut">
          {desk.say('replay.cut', { count: replay.events.length, time: moment(Date.parse(replay.events.at(-1)?.at ?? ''), desk.language, desk.homeZone()) })}
          {' '}<button data-do="more" onClick={() => load(desk.api.periodOn(rest), true)}>{desk.say('replay.more')}</button>
        </p>
      )}
      {replay && !compares && <Room desk={desk} replay={replay} setReplay={setReplay} alarm={alarm} />}
    </div>
  );
}

function Ways({ desk, alarm, compares }: { desk: Desk; alarm: string; compares?: boolean }) {
  const ways = [[`#/replay/${alarm}`, 'nav.replay', !compares], [`#/replay/${alarm}/today`, 'compare.title', compares],
    [`#/alarms/${alarm}`, 'report.title', false]] as const;
  return (
    <nav class="ways" aria-label={desk.say('replay.ways')}>
      {ways.map(([path, key, here]) => <a key={path} href={path} aria-current={here ? 'page' : undefined}>{desk.say(key)}</a>)}
      <a href={`/api/v1/${desk.api.bundlePath(alarm)}`} download>{desk.say('report.bundle')}</a>
    </nav>
  );
}

function Period({ desk, onPick }: { desk: Desk; onPick: (from: string, to: string) => void }) {
  const now = desk.api.nowMs(), zone = desk.homeZone();
  const [typed, setTyped] = useState({ from: '', to: '' }); // in the zone's wall clock; "" = as it was proposed
  const wall = { from: typed.from || wallOf(now - 3600_000, zone), to: typed.to || wallOf(now + 60_000, zone) };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    onPick(momentOf(wall.from, zone).toISOString(), momentOf(wall.to, zone).toISOString());
  };
  const field = (name: 'from' | 'to') => (
    <label>{desk.say(`replay.${name}`)} ({zoneName(now, desk.language, zone)})
      <input type="datetime-local" name={name} required value={wall[name]}
        onInput={({ currentTarget: { value } }) => setTyped((before) => ({ ...before, [name]: value }))} /></label>
  );
  return (
    <form class="search" onSubmit={submit}>
      {field('from')}
      {field('to')}
      <button class="primary">{desk.say('replay.load')}</button>
    </form>
  );
}

/** What was known after the line `seq`. One question at a time, always for the moment at which one is by then: who drags the time
 * does not wait for those that were passed. The last answer stays until the next one is there. */
function useBoard(desk: Desk, seq: number | undefined, alarm?: string): { board: PastBoard | null; waiting: string } {
  const [board, setBoard] = useState<PastBoard | null>(null);
  const [waiting, setWaiting] = useState('');
  const known = useRef(new Map<number, PastBoard>());
  const wanted = useRef<number>();
  const asking = useRef(false);
  const follow = async () => {
    for (let at; (at = wanted.current) !== undefined;) {
      const answer = known.current.get(at) ?? await desk.api.boardAt(at, alarm);
      if (answer) {
        known.current.set(at, answer);
        setBoard(answer);
      }
      setWaiting(answer ? '' : desk.say('replay.waiting'));
      if (answer && wanted.current === at) return;
    }
  };
  useEffect(() => {
    wanted.current = seq;
    if (seq === undefined || asking.current) return;
    asking.current = true;
    follow().catch((error: unknown) => setWaiting(desk.unread(error))).finally(() => { asking.current = false; });
  }, [seq, alarm]);
  useEffect(() => () => { wanted.current = undefined; }, []);
  return { board, waiting };
}

interface RoomProps {
  desk: Desk;
  replay: Replay;
  setReplay: (change: (replay: Replay | null) => Replay | null) => void;
  alarm?: string;
}

function Room({ desk, replay, setReplay, alarm }: RoomProps) {
  const index = indexAt(replay);
  const event = replay.events[index];
  const { board, waiting } = useBoard(desk, event?.seq, alarm);
  useEffect(() => {
    if (!replay.playing) return;
    const timer = setInterval(() => setReplay((r) => r && passed(r, FRAME_MS)), FRAME_MS);
    return () => clearInterval(timer);
  }, [replay.playing]);
  const now = useMemo(() => () => replay.atMs, [replay.atMs]);
  const alarms = inOrder(board?.alarms.filter((a) => !alarm || a.id === alarm) ?? [], desk.account?.role);
  const story = replay.events.slice(0, index + 1);
  const unknown = alarms.map((a) => a.site.id).filter((site) => !desk.guides.has(site)).join(' ');
  useEffect(() => {
    for (const site of new Set(unknown.split(' ').filter(Boolean))) void desk.readGuide(site).catch(() => {}); // its maps and its zone
  }, [unknown]);
  return (
    <Now.Provider value={now}>
      <Controls desk={desk} replay={replay} setReplay={setReplay} index={index} />
      <p role="status">{waiting}</p>
      <div class="replayed" data-seq={board?.seq} data-at={event?.at}>
        <div>
          {alarms.map((a) => (
            <AlarmView key={a.id} desk={desk} past alarm={{ ...a, events: story.filter((e) => e.alarm === a.id) }} />
          ))}
          {!alarm && board && <Troubles desk={desk} troubles={board.troubles} />}
        </div>
        {event && <Record desk={desk} event={event} />}
      </div>
    </Now.Provider>
  );
}

function Controls({ desk, replay, setReplay, index }: RoomProps & { index: number }) {
  const to = (i: number) => () => setReplay((r) => {
    const event = r?.events[Math.min(Math.max(i, 0), r.events.length - 1)];
    return r && event ? { ...r, playing: false, atMs: Date.parse(event.at) } : r;
  });
  const before = () => {
    let i = index - 1;
    while (i > 0 && replay.events[i]?.at === replay.events[index]?.at) i--; // of one moment, all at once
    return i;
  };
  const event = replay.events[index];
  const text = event ? `${moment(replay.atMs, desk.language, desk.homeZone())} · ${wordIn(desk.language, 'event', event.type)}` : '';
  return (
    <div class="controls">
      <button class="primary" data-do="play" onClick={() => setReplay((r) => r && playOrPause(r))}>
        {desk.say(replay.playing ? 'replay.pause' : 'replay.play')}
      </button>
      <button data-do="back" onClick={to(before())}>{desk.say('replay.back')}</button>
      <button data-do="step" onClick={to(index + 1)}>{desk.say('replay.step')}</button>
      <label>{desk.say('replay.speed')}
        <select value={replay.speed} onChange={(e) => { const speed = Number(e.currentTarget.value); setReplay((r) => r && { ...r, speed }); }}>
          {SPEEDS.map((speed) => <option key={speed} value={speed}>{speed}×</option>)}
        </select></label>
      <label class="grow">{desk.say('replay.time')}
        <input type="range" min={beginOf(replay.events)} max={endOf(replay.events)} step={1} value={replay.atMs} aria-valuetext={text}
          onInput={(e) => { const atMs = Number(e.currentTarget.value); setReplay((r) => r && { ...r, playing: false, atMs }); }} /></label>
      <output>{text} · {index + 1} / {replay.events.length}</output>
      <button onClick={() => print()}>{desk.say('replay.print')}</button>
    </div>
  );
}
