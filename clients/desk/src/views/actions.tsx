// What a person can do with an alarm: the next thing is the big button. Notes and closing are written in place, so that
// nothing covers another alarm.

import { useEffect, useRef } from 'preact/hooks';
import type { Desk } from '../desk';
import type { Alarm, Deed, Disposition } from '../types';

const DISPOSITIONS: Disposition[] = ['real', 'false', 'accidental', 'duplicate', 'drill', 'test'];

interface Props {
  desk: Desk;
  alarm: Alarm;
}

export function Actions({ desk, alarm }: Props) {
  const message = desk.message(alarm.id);
  const sending = desk.isSending(alarm.id);
  const form = desk.draft(alarm.id).form;
  return (
    <section class="actions" aria-label={desk.say('do.label')}>
      {alarm.state === 'closed' ? <Closed desk={desk} alarm={alarm} />
        : desk.account?.may_answer ? <Buttons desk={desk} alarm={alarm} sending={sending} /> : <p>{desk.say('do.onlyread')}</p>}
      <p role="status" class="sending">{sending && desk.say('do.sending')}</p>
      <p role="alert" class="failure">{message}</p>
      {form === 'note' && <NoteForm desk={desk} alarm={alarm} />}
      {form === 'close' && alarm.state !== 'closed' && <CloseForm desk={desk} alarm={alarm} />}
    </section>
  );
}

function Closed({ desk, alarm }: Props) {
  const disposition = desk.say(`disposition.${alarm.disposition ?? 'real'}`);
  return (
    <p class="closed" role="status">
      ✔ {desk.say('alarm.closed', { who: alarm.closed_by ?? '?', disposition })}{' '}
      <button onClick={() => desk.choose(null)}>{desk.say('do.leave')}</button>
    </p>
  );
}

function Buttons({ desk, alarm, sending }: Props & { sending: boolean }) {
  const others = desk.untakenBeside(alarm.id);
  const act = (deed: Deed) => () => void desk.act(alarm.id, deed);
  const fresh = !desk.isLookedAt(alarm.id); // a click now was meant for what stood here before
  const { reached, stands } = desk.ownPart(alarm);
  const next = { open: 'take', acknowledged: 'coming', coming: 'scene', on_scene: 'close', closed: '' }[stands];
  const button = (name: 'take' | 'coming' | 'scene' | 'note' | 'close', key: string, onClick: () => void) => (
    <button class={name === next ? 'primary' : ''} disabled={sending || fresh} data-do={name} onClick={onClick}>
      {desk.say(`do.${name}`)} <kbd>{key}</kbd>
    </button>
  );
  return (
    <div class="buttons">
      {desk.isUntaken(alarm) && button('take', '⏎ Enter', act('acknowledge'))}
      {reached !== 'coming' && reached !== 'on_scene' && button('coming', 'C', act('coming'))}
      {reached !== 'on_scene' && button('scene', 'S', act('on-scene'))}
      {button('close', 'X', () => desk.write(alarm.id, { form: 'close' }))}
      {button('note', 'W', () => desk.write(alarm.id, { form: 'note' }))}
      {others > 0 && (
        <button class="others" onClick={() => desk.chooseUntaken()}>{desk.say('do.next')} ({others}) <kbd>N</kbd></button>
      )}
    </div>
  );
}

/** The first field has the focus when the form opens. */
function useFirstFocus() {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    const first = (selector: string) => form.current?.querySelector<HTMLElement>(selector);
    (first('input:checked') ?? first('input, textarea'))?.focus();
  }, []);
  return form;
}

function leave(desk: Desk, alarm: Alarm): void {
  desk.write(alarm.id, { form: null });
  document.getElementById('looked-at')?.focus();
}

function NoteField({ desk, alarm, required }: Props & { required: boolean }) {
  return (
    <label>{desk.say('note.label')}
      <textarea rows={2} maxLength={600} required={required} value={desk.draft(alarm.id).note}
        onInput={(event) => desk.write(alarm.id, { note: event.currentTarget.value })} /></label>
  );
}

function NoteForm({ desk, alarm }: Props) {
  const form = useFirstFocus();
  const submit = (event: Event) => {
    event.preventDefault();
    void desk.note(alarm.id).then(() => document.getElementById('looked-at')?.focus());
  };
  return (
    <form ref={form} onSubmit={submit}>
      <NoteField desk={desk} alarm={alarm} required />
      <button class="primary">{desk.say('note.send')}</button>
      <button type="button" onClick={() => leave(desk, alarm)}>{desk.say('close.back')}</button>
    </form>
  );
}

function CloseForm({ desk, alarm }: Props) {
  const form = useFirstFocus();
  const submit = (event: Event) => {
    event.preventDefault();
    void desk.close(alarm);
  };
  return (
    <form ref={form} class="close" onSubmit={submit}>
      <fieldset>
        <legend>{desk.say('close.title')}</legend>
        {DISPOSITIONS.map((disposition) => (
          <label key={disposition}>
            <input type="radio" name="disposition" value={disposition} required
              checked={desk.draft(alarm.id).disposition === disposition}
              onChange={() => desk.write(alarm.id, { disposition })} />
            {desk.say(`disposition.${disposition}`)}
          </label>
        ))}
      </fieldset>
      <NoteField desk={desk} alarm={alarm} required={false} />
      <button class="primary">{desk.say('close.send')}</button>
      <button type="button" onClick={() => leave(desk, alarm)}>{desk.say('close.back')}</button>
    </form>
  );
}
