// What really happened beside what today's plan would have done with the same presses; both as the daemon's own core says it.

import { useEffect, useState } from 'preact/hooks';
import { firstTold, markOnlyHere, type Marked } from '../compare';
import type { Desk } from '../desk';
import { wordIn } from '../texts';
import { span } from '../time';
import type { Comparison, Course, CourseEvent } from '../types';
import { endpointName } from './told';

export function Compare({ desk, alarm }: { desk: Desk; alarm: string }) {
  const [answered, setAnswered] = useState(true);
  const [comparison, setComparison] = useState<Comparison | null>(null);
  const [failure, setFailure] = useState('');
  useEffect(() => {
    let wanted = true;
    desk.api.today(alarm, answered).then(
      (answer) => {
        if (!wanted) return;
        setComparison(answer);
        setFailure('');
      },
      (error: unknown) => wanted && setFailure(desk.unread(error)),
    );
    return () => { wanted = false; };
  }, [alarm, answered]);
  return (
    <div class="compare">
      <p class="buttons">
        <label><input type="checkbox" checked={!answered} onChange={(event) => setAnswered(!event.currentTarget.checked)} />
          {desk.say('compare.nobody')}</label>
        <button onClick={() => print()}>{desk.say('replay.print')}</button>
      </p>
      <p role="alert" class="failure">{failure}</p>
      {comparison && <Both desk={desk} comparison={comparison} />}
    </div>
  );
}

function Both({ desk, comparison }: { desk: Desk; comparison: Comparison }) {
  const { happened, today } = comparison;
  const rows = firstTold(comparison);
  const time = (ms: number | null) => (ms === null ? desk.say('compare.nottold') : since(ms));
  return (
    <>
      <table class="first-told">
        <caption>{desk.say('compare.first')}</caption>
        <thead><tr>{(['report.who', 'compare.happened', 'compare.today'] as const).map((key) => <th key={key} scope="col">{desk.say(key)}</th>)}</tr></thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.endpoint} data-endpoint={row.endpoint}>
              <th scope="row"><bdi>{endpointName(desk, row.endpoint)}</bdi></th>
              <td>{time(row.happenedMs)}</td>
              <td class={row.differs ? 'bad' : ''}>{time(row.todayMs)}{row.differs && ` ${desk.say('compare.differs')}`}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <div class="beside">
        <Timeline desk={desk} title={desk.say('compare.happened')} name="happened" course={happened} marked={markOnlyHere(happened, today)} />
        <Timeline desk={desk} title={desk.say('compare.today')} name="today" course={today} marked={markOnlyHere(today, happened)} />
      </div>
    </>
  );
}

interface TimelineProps {
  desk: Desk;
  title: string;
  name: string;
  course: Course;
  marked: Marked[];
}

function Timeline({ desk, title, name, course, marked }: TimelineProps) {
  return (
    <section data-course={name} data-state={course.state}>
      <h2>{title}: <bdi>{course.plan}</bdi></h2>
      <ol>
        {marked.map(({ event, onlyHere }, i) => (
          <li key={i} class={onlyHere ? 'only-here' : ''} data-what={event.what}>
            <time>{since(event.after_ms)}</time> <b>{word(desk, event)}</b> <bdi>{details(desk, event)}</bdi>
            {onlyHere && <em> {desk.say('compare.onlyhere')}</em>}
          </li>
        ))}
      </ol>
      {course.cut && <p class="bad">{desk.say('report.cut')}</p>}
      <p>{desk.say('compare.end', { state: desk.say(`state.${course.state}`) })}</p>
    </section>
  );
}

/** "+0:02.1": the tenths matter in the first seconds. */
function since(ms: number): string {
  return `+${span(Math.floor(ms / 1000) * 1000)}.${Math.floor((ms % 1000) / 100)}`;
}

function word(desk: Desk, event: CourseEvent): string {
  if (event.what === 'told') return desk.say('compare.told');
  if (event.what === 'state') return desk.say('compare.state', { state: desk.say(`state.${event.state ?? 'open'}`) });
  if (event.what === 'exhausted') return desk.say('alarm.exhausted');
  return wordIn(desk.language, 'event', event.what);
}

function details(desk: Desk, event: CourseEvent): string {
  const zones = [...desk.guides.values()].flatMap((guide) => guide.zones);
  const zone = event.zone && (zones.find((z) => z.id === event.zone)?.name ?? event.zone);
  return [
    event.kind && desk.say(`kind.${event.kind}`), zone ?? event.device, event.by,
    event.endpoint && endpointName(desk, event.endpoint), event.change && wordIn(desk.language, 'change', event.change),
    event.outcome && wordIn(desk.language, 'outcome', event.outcome), event.disposition && desk.say(`disposition.${event.disposition}`), event.useless && desk.say('compare.useless'),
  ].filter(Boolean).join(' · ');
}
