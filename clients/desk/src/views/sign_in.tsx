import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from '../api';
import type { Desk } from '../desk';
import { Speaker } from './icon';
import { Switches } from './page';

export function SignIn({ desk }: { desk: Desk }) {
  const [failure, setFailure] = useState('');
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => form.current?.querySelector<HTMLInputElement>(desk.lastAccount ? '[name=password]' : '[name=account]')?.focus(), []);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    desk.allowSound();
    setBusy(true);
    setFailure('');
    try {
      await desk.signIn(String(data.get('account')).trim(), String(data.get('password')));
    } catch (error) {
      setFailure(whySignIn(desk, error));
      setBusy(false);
    }
  };
  return (
    <main class="sign-in">
      <form ref={form} onSubmit={(event) => void submit(event)}>
        <h1>{desk.say('signin.title')}</h1>
        {desk.signedOutBecause && <p role="alert" class="banner lost">✖ {desk.say('signin.ended')}</p>}
        {desk.press.isHeldUp && <p role="alert" class="banner lost" data-press="held-up">✖ {desk.say('press.heldup')}</p>}
        <label>{desk.say('signin.account')}
          <input name="account" autocomplete="username" required defaultValue={desk.lastAccount ?? ''} /></label>
        <label>{desk.say('signin.password')}
          <input name="password" type="password" autocomplete="current-password" required /></label>
        <button class="primary" disabled={busy}>{desk.say('signin.submit')}</button>
        {desk.isSounding && <button type="button" onClick={() => desk.mute()}><Speaker /> {desk.say('sound.silence')}</button>}
        <p role="alert" class="failure">{failure}</p>
        <div class="switches"><Switches desk={desk} /></div>
      </form>
    </main>
  );
}

export function whySignIn(desk: Desk, error: unknown): string {
  if (!(error instanceof ApiError)) return String(error);
  const { status, retry_after_s } = error.problem;
  if (status === 429) return desk.say('signin.wait', { seconds: retry_after_s ?? '…' });
  if (status === 401) return desk.say('signin.wrong');
  return status === 0 ? desk.say('live.never') : desk.reason(error);
}
