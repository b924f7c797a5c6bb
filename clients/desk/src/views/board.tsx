// The duty screen: on the left every open alarm, beside it the one that is looked at.

import { look } from '../board';
import type { Desk } from '../desk';
import { clock, span } from '../time';
import type { Alarm } from '../types';
import { AlarmView } from './alarm';
import { Calm } from './calm';
import { useNow } from './hooks';
import { Icon } from './icon';

export function BoardView({ desk }: { desk: Desk }) {
  const alarms = desk.openAlarms();
  const current = desk.current();
  if (!current) return <Calm desk={desk} />;
  return (
    <div class={`board ${density(alarms.length)}`}>
      <List desk={desk} alarms={alarms} current={current} />
      <AlarmView key={current.id} desk={desk} alarm={current} />
    </div>
  );
}

/** All of them are on the screen: the more there are, the smaller. */
function density(count: number): string {
  return count <= 6 ? 'few' : count <= 12 ? 'some' : count <= 36 ? 'many' : 'many most';
}

function List({ desk, alarms, current }: { desk: Desk; alarms: Alarm[]; current: Alarm }) {
  const untaken = desk.untaken().length;
  return (
    <nav class="list" aria-label={desk.say('list.label')}>
      <h2>
        {desk.say('list.take', { count: untaken })}<br />
        <small>{desk.say('list.answered', { count: alarms.length - untaken })}</small>
      </h2>
      <ol>
        {alarms.map((alarm) => (
          <li key={alarm.id}>
            <Tile desk={desk} alarm={alarm} chosen={alarm.id === current.id} />
          </li>
        ))}
      </ol>
    </nav>
  );
}

function Tile({ desk, alarm, chosen }: { desk: Desk; alarm: Alarm; chosen: boolean }) {
  const choose = () => {
    desk.choose(alarm.id);
    document.getElementById('looked-at')?.focus();
  };
  return (
    <button class={`tile ${look(alarm)} ${desk.isUntaken(alarm) ? 'untaken' : 'taken'}`} data-alarm={alarm.id}
      aria-current={chosen ? 'true' : undefined} onClick={choose}>
      <b class="what">
        {alarm.mode !== 'real' && <span class="mode">{desk.say(`mode.${alarm.mode}`)} </span>}
        <Icon kind={alarm.kind} /> {desk.say(`kind.${alarm.kind}`)}
      </b>
      <span class="site"><bdi>{alarm.site.name ?? alarm.site.id}</bdi></span>
      <span class="more">
        <Since desk={desk} alarm={alarm} /> · {desk.say('alarm.presses', { count: alarm.press_count })}
      </span>
      <span class="state">{desk.standing(alarm)}</span>
    </button>
  );
}

/** How long it stands. */
export function Since({ desk, alarm }: { desk: Desk; alarm: Alarm }) {
  const now = useNow(desk);
  const zone = desk.zone(alarm.site.id);
  return (
    <time dateTime={alarm.opened_at} title={clock(alarm.opened_at, desk.language, zone)}>
      {desk.say('alarm.ago', { span: span(now - Date.parse(alarm.opened_at)) })}
    </time>
  );
}
