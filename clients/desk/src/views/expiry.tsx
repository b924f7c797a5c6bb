// A session ends after its shift. Said in good time, with what to do: whoever has the password goes on without a gap.

import { useState } from 'preact/hooks';
import type { Desk } from '../desk';
import { clock, span } from '../time';
import { useTicks } from './hooks';
import { whySignIn } from './sign_in';

const SOON_MS = 30 * 60_000;
const VERY_SOON_MS = 5 * 60_000;

export function Expiry({ desk }: { desk: Desk }) {
  useTicks();
  const ends = desk.account?.expires_at;
  const left = ends ? Date.parse(ends) - desk.api.nowMs() : Infinity;
  const time = ends ? clock(ends, desk.language, desk.homeZone()) : '';
  return (
    <>
      <div role="alert" class="unseen">
        {left < SOON_MS && desk.say(left < VERY_SOON_MS ? 'expiry.verysoon' : 'expiry.soon', { time })}
      </div>
      {left < SOON_MS && <Renewal desk={desk} left={left} time={time} />}
    </>
  );
}

function Renewal({ desk, left, time }: { desk: Desk; left: number; time: string }) {
  const [failure, setFailure] = useState('');
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const password = String(new FormData(event.currentTarget as HTMLFormElement).get('password'));
    desk.renew(password).then(
      () => setFailure(''),
      (error: unknown) => setFailure(whySignIn(desk, error)),
    );
  };
  return (
    <form class="banner expiring" onSubmit={submit}>
      <span aria-hidden="true">{desk.say(left < VERY_SOON_MS ? 'expiry.verysoon' : 'expiry.soon', { time })} ({span(left)})</span>
      <label>{desk.say('expiry.password', { who: desk.account?.account ?? '' })}{' '}
        <input type="password" name="password" autocomplete="current-password" required /></label>
      <button>{desk.say('expiry.goon')}</button>
      <span role="status">{failure}</span>
    </form>
  );
}
