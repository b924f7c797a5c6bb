// The software button. It is held for a second, with a finger, the mouse or a key, so that a pocket does not press. A screen
// reader cannot hold: it activates twice.

import { useRef, useState } from 'preact/hooks';
import type { Desk } from '../desk';
import type { ButtonState, Pressing } from '../press';
import type { Key } from '../texts';

const HOLD_MS = 1000;
const ARMED_MS = 5000;

/** A test calls nobody: it does not say that help comes, nor that somebody should be called instead. */
function wordOf({ fault, isTest }: Pressing, state: ButtonState): Key {
  if (!isTest || state === 'idle' || state === 'sending') return fault ? `press.${fault}` : `press.${state}`;
  return fault ? 'press.testfault' : 'press.testreceived';
}

export function PressButton({ desk }: { desk: Desk }) {
  const [held, setHeld] = useState<'' | 'holding' | 'armed'>('');
  const [wantsTest, setTest] = useState(false);
  const timer = useRef(0);
  const as = desk.account?.presses_as;
  if (!as) return null;
  const test = wantsTest && !desk.press.isCalling;
  const { state } = desk.press;

  const wait = (next: typeof held, ms: number, then: () => void) => {
    clearTimeout(timer.current);
    setHeld(next);
    timer.current = window.setTimeout(() => { setHeld(''); then(); }, ms);
  };
  const press = () => {
    clearTimeout(timer.current);
    setHeld('');
    desk.press.begin(test);
  };
  const hold = () => wait('holding', HOLD_MS, press);
  const letGo = () => {
    if (held !== 'holding') return;
    clearTimeout(timer.current);
    setHeld('');
  };
  const byKey = (event: KeyboardEvent, then: () => void) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    event.stopPropagation(); // Enter on this button takes no alarm
    if (!event.repeat) then();
  };
  const activated = (event: MouseEvent) => { // without a pointer and without a key
    if (event.detail !== 0) return;
    if (held === 'armed') press();
    else wait('armed', ARMED_MS, () => {});
  };

  const place = [as.site.name ?? as.site.id, as.zone?.name ?? as.zone?.id].filter(Boolean).join(' · ');
  return (
    <section class={`press ${state} ${test ? 'test' : ''}`} data-press={state} aria-label={desk.say('press.label')}>
      <button class={`hold ${held}`} onPointerDown={hold} onPointerUp={letGo} onPointerLeave={letGo} onPointerCancel={letGo}
        onContextMenu={(event) => event.preventDefault()} onKeyDown={(event) => byKey(event, hold)}
        onKeyUp={(event) => byKey(event, letGo)} onBlur={letGo} onClick={activated}>
        {test && <b>{desk.say('mode.test')} </b>}{desk.say(held === 'armed' ? 'press.again' : 'press.hold')}
        <small><bdi>{place}</bdi></small>
      </button>
      <p role="alert">
        {desk.press.isTest && state !== 'idle' && <b>{desk.say('mode.test')} </b>}
        {desk.say(wordOf(desk.press, state))}
      </p>
      <label class="switch"><input type="checkbox" checked={test} disabled={desk.press.isCalling}
        onChange={(event) => setTest(event.currentTarget.checked)} />{' '}
        {desk.say('press.test')}</label>
    </section>
  );
}
