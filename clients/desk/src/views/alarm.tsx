// One alarm, whole: what and where in the first line, what to do in the second, everything else below.

import { useEffect, useRef } from 'preact/hooks';
import { isHalfTaken, look, places } from '../board';
import type { Desk } from '../desk';
import { clock, span } from '../time';
import { wordIn } from '../texts';
import type { Alarm, SiteGuide } from '../types';
import { Actions } from './actions';
import { Since } from './board';
import { FloorPlan } from './floor_plan';
import { useNow } from './hooks';
import { Icon } from './icon';
import { endpointName, Story, Told } from './told';
import { Way } from './way';

/** `past`: as it was at a moment that is replayed; nothing can be done about it any more. */
export function AlarmView({ desk, alarm, past }: { desk: Desk; alarm: Alarm; past?: boolean }) {
  const guide = desk.guides.get(alarm.site.id);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!past && (!document.activeElement || document.activeElement === document.body)) heading.current?.focus();
  }, []);
  const kind = look(alarm);
  return (
    <article class={`alarm ${kind} ${desk.isUntaken(alarm) ? 'untaken' : 'taken'}`} data-alarm={alarm.id} data-state={alarm.state}>
      <div class="band">
        <div role={past ? undefined : 'alert'}>
          <h1 id={past ? undefined : 'looked-at'} tabIndex={-1} ref={heading}>
            {alarm.mode !== 'real' && <span class="mode">{desk.say(`mode.${alarm.mode}`)} </span>}
            <Icon kind={alarm.kind} /> {desk.say(`kind.${alarm.kind}`)}
            <span class="gravity">{desk.say(`gravity.${kind}`)}</span>
          </h1>
          <p class="where">
            <bdi class="site">{alarm.site.name ?? alarm.site.id}</bdi>
            <PlaceList desk={desk} alarm={alarm} />
          </p>
        </div>
        <When desk={desk} alarm={alarm} guide={guide} />
        {alarm.mode !== 'real' && <p class="notreal">{desk.say(`alarm.notreal.${alarm.mode}`)}</p>}
        {alarm.recorded === false && <p class="notreal">{desk.say('alarm.unrecorded')}</p>}
        {alarm.exhausted && alarm.state === 'open' && (
          <p class="notreal">{desk.say(isHalfTaken(alarm) ? 'alarm.halfexhausted' : 'alarm.exhausted')}</p>
        )}
        {!!alarm.cancels && <p class="notreal">{desk.say('alarm.cancels', { count: alarm.cancels })}</p>}
      </div>
      {!past && <Actions desk={desk} alarm={alarm} />}
      <div class="columns">
        <Way desk={desk} alarm={alarm} guide={guide} />
        {!!guide?.maps.length && <FloorPlan desk={desk} alarm={alarm} guide={guide} />}
        <Told desk={desk} alarm={alarm} guide={guide} />
        <Story desk={desk} alarm={alarm} guide={guide} />
      </div>
    </article>
  );
}

function PlaceList({ desk, alarm }: { desk: Desk; alarm: Alarm }) {
  const list = places(alarm);
  return (
    <span class="places" tabIndex={list.length > 12 ? 0 : undefined}>
      {list.length === 0 && desk.say('alarm.noplace')}
      {list.map((place) => (
        <span key={place.id} class="place"><bdi>{place.name}</bdi>{place.count > 1 && ` ×${place.count}`}</span>
      ))}
      {list.length > 1 && <span class="count">{desk.say('alarm.rooms', { count: list.length })}</span>}
    </span>
  );
}

function When({ desk, alarm, guide }: { desk: Desk; alarm: Alarm; guide?: SiteGuide }) {
  return (
    <p class="when">
      <span class="stands">{desk.standing(alarm)}</span>
      <span>{desk.say('alarm.since', { time: clock(alarm.opened_at, desk.language, guide?.time_zone) })} (<Since desk={desk} alarm={alarm} />)</span>
      {isHalfTaken(alarm) && <span class="acks">{acksOf(desk, alarm)}</span>}
      {!isHalfTaken(alarm) && alarm.acknowledged_by && <span>{desk.say('alarm.taken', { who: alarm.acknowledged_by })}</span>}
      {alarm.coming_by && <span>{desk.say('alarm.coming', { who: alarm.coming_by })}</span>}
      {alarm.on_scene_by && <span>{desk.say('alarm.onscene', { who: alarm.on_scene_by })}</span>}
      <Countdown desk={desk} alarm={alarm} />
    </p>
  );
}

/** Who has taken it, for which role, and which it waits for. */
function acksOf(desk: Desk, { acks = [] }: Alarm): string {
  const role = (ack: { role: string }) => wordIn(desk.language, 'role', ack.role);
  const taken = acks.filter((ack) => ack.by !== null).map((ack) => desk.say('alarm.ack', { role: role(ack), who: ack.by ?? '' }));
  const waits = acks.filter((ack) => ack.by === null).map(role);
  const text = desk.say('alarm.acks', { taken: taken.join(', '), waits: waits.join(', ') });
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Who is told next, and when. */
function Countdown({ desk, alarm }: { desk: Desk; alarm: Alarm }) {
  const now = useNow(desk);
  if (!alarm.step_due_at || alarm.state !== 'open') return null;
  const next = (alarm.deliveries ?? []).filter((delivery) => delivery.step === alarm.step + 1);
  const who = next.map((delivery) => endpointName(desk, delivery.endpoint, delivery.name));
  return (
    <span class="countdown">
      {desk.say('alarm.next')} <b>{span(Date.parse(alarm.step_due_at) - now)}</b>
      <small>{who.length ? desk.say('alarm.nextto', { who: who.join(', ') }) : desk.say('alarm.nextagain')}</small>
    </span>
  );
}
