// Who was told what, with which result; and everything that happened.

import type { Desk } from '../desk';
import { wordIn } from '../texts';
import { clock } from '../time';
import type { Alarm, Delivery, DeliveryState, JournalEvent, SiteGuide } from '../types';

interface Props {
  desk: Desk;
  alarm: Alarm;
  guide?: SiteGuide;
}

const SIGNS: Record<DeliveryState, string> = {
  waiting: '·', pending: '…', sent: '…', received: '✔', unconfirmed: '?', refused: '✖', failing: '✖',
};

export function Told({ desk, alarm, guide }: Props) {
  return (
    <section class="told">
      <h2>{desk.say('told.title')}</h2>
      <ul>
        {(alarm.deliveries ?? []).map((delivery) => (
          <li key={delivery.endpoint} class={delivery.state} data-endpoint={delivery.endpoint}>
            <span class="sign" aria-hidden="true">{SIGNS[delivery.state]}</span>{' '}
            <b><bdi>{endpointName(desk, delivery.endpoint, delivery.name)}</bdi></b>{' '}
            <small>{wordIn(desk.language, 'role', delivery.role)}, {desk.say('told.step', { step: delivery.step })}</small>
            <br />{resultOf(desk, delivery, guide)}
          </li>
        ))}
      </ul>
    </section>
  );
}

export function endpointName(desk: Desk, id: string, name?: string): string {
  return desk.endpoints.get(id)?.name ?? name ?? id;
}

export function resultOf(desk: Desk, delivery: Delivery, guide?: SiteGuide): string {
  const words: string[] = [desk.say(`told.${delivery.state}`)];
  if (delivery.state === 'failing' && delivery.http_status) words.push(`HTTP ${delivery.http_status}`);
  if (delivery.attempts > 1) words.push(desk.say('told.try', { count: delivery.attempts }));
  if (delivery.since && delivery.state !== 'waiting') words.push(clock(delivery.since, desk.language, guide?.time_zone));
  return words.join(' · ');
}

export function Story({ desk, alarm, guide }: Props) {
  const notes = new Map((alarm.notes ?? []).map((note) => [note.seq, note.text]));
  return (
    <section class="story">
      <h2>{desk.say('story.title')}</h2>
      {alarm.events_cut && <p class="bad">{desk.say('report.cut')}</p>}
      <ol tabIndex={0}>
        {[...(alarm.events ?? [])].reverse().map((event) => (
          <li key={event.seq} data-seq={event.seq}>
            <time dateTime={event.at}>{clock(event.at, desk.language, guide?.time_zone)}</time>{' '}
            <b>{wordIn(desk.language, 'event', event.type)}</b> <bdi>{aboutEvent(desk, event, guide)}</bdi>
            {notes.has(event.seq) && <q><bdi>{notes.get(event.seq)}</bdi></q>}
          </li>
        ))}
      </ol>
    </section>
  );
}

export function aboutEvent(desk: Desk, event: JournalEvent, guide?: SiteGuide): string {
  const zone = guide?.zones.find((z) => z.id === event.zone)?.name ?? event.zone;
  const endpoint = event.endpoint && endpointName(desk, event.endpoint);
  const kind = event.kind && desk.say(`kind.${event.kind}`);
  const outcome = event.outcome && wordIn(desk.language, 'outcome', event.outcome);
  const disposition = event.disposition && desk.say(`disposition.${event.disposition}`);
  const odd = (event.odd ?? []).map((word) => wordIn(desk.language, 'odd', word)).join(', ');
  return [kind, zone ?? event.device, odd, event.by, endpoint, outcome, disposition].filter(Boolean).join(' · ');
}
