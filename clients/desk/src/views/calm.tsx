// Nothing is open: says so, and what else may be of use.

import type { Desk } from '../desk';
import { clock, moment } from '../time';
import { wordIn } from '../texts';
import type { JournalEvent, Trouble } from '../types';

export function Calm({ desk }: { desk: Desk }) {
  return (
    <div class="calm">
      <section class="quiet">
        <h1>{desk.say('calm.title')}</h1>
        <p>{desk.say('calm.text')}</p>
        {desk.account?.may_answer && <p><b>{desk.say('help.title')}</b> {desk.say('help.text')}</p>}
      </section>
      <Troubles desk={desk} />
      <Log desk={desk} />
    </div>
  );
}

export function Troubles({ desk, troubles = desk.board.troubles }: { desk: Desk; troubles?: Trouble[] }) {
  return (
    <section>
      <h2>{desk.say('trouble.title')}</h2>
      {troubles.length === 0 && <p>{desk.say('trouble.none')}</p>}
      <ul class="troubles">
        {troubles.map((trouble) => (
          <li key={`${trouble.code} ${trouble.part}`} data-trouble={trouble.code}>
            <b>⚠ {wordIn(desk.language, 'trouble', trouble.code)}</b> <bdi>{trouble.part}</bdi>{' '}
            <time dateTime={trouble.at}>{moment(trouble.at, desk.language, desk.homeZone())}</time>
            <br /><small lang="en"><bdi>{trouble.text}</bdi></small>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What came over the feed, the newest first. */
export function Log({ desk }: { desk: Desk }) {
  return (
    <section>
      <h2>{desk.say('log.title')}</h2>
      {desk.board.log.length === 0 && <p>{desk.say('log.none')}</p>}
      <ol class="log" reversed tabIndex={0}>
        {[...desk.board.log].reverse().map((event) => (
          <li key={event.seq} data-seq={event.seq}>
            <time dateTime={event.at}>{clock(event.at, desk.language, desk.homeZone())}</time>{' '}
            <b>{wordIn(desk.language, 'event', event.type)}</b>{' '}
            <bdi>{about(desk, event)}</bdi>
          </li>
        ))}
      </ol>
    </section>
  );
}

function about(desk: Desk, event: JournalEvent): string {
  const refusal = event.refusal && wordIn(desk.language, 'refusal', event.refusal);
  const outcome = event.outcome && wordIn(desk.language, 'outcome', event.outcome);
  return [event.site, event.device ?? event.endpoint ?? event.part, event.by, refusal, outcome].filter(Boolean).join(' · ');
}
