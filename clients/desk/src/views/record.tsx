// The raw line of an event, and whether the checkpoint seals it: computed here, not believed.

import { useEffect, useState } from 'preact/hooks';
import type { Desk } from '../desk';
import { recall, remember } from '../memory';
import { base64Of, bytesOf, hexOf, leafOf, readCheckpoint, rootOf, signedBy } from '../proof';
import type { JournalEvent } from '../types';

interface Checked {
  line: string;
  leaf: string;
  path: string[];
  size: number;
  sealed: boolean;
  signed: 'yes' | 'no' | 'unable' | 'unasked';
}

async function check(desk: Desk, seq: number, publicKey: string): Promise<Checked> {
  const [line, note] = await Promise.all([desk.api.line(seq), desk.api.checkpoint()]);
  const checkpoint = readCheckpoint(note);
  if (!checkpoint || checkpoint.size < seq) throw new Error(desk.say('record.unsealed'));
  const proof = await desk.api.proof(seq, checkpoint.size);
  const leaf = await leafOf(line);
  const root = await rootOf(seq - 1, checkpoint.size, leaf, proof.path.map(bytesOf));
  return {
    line, leaf: hexOf(leaf), path: proof.path, size: checkpoint.size,
    sealed: !!root && base64Of(root) === checkpoint.root,
    signed: publicKey ? await signedBy(checkpoint, publicKey) : 'unasked',
  };
}

export function Record({ desk, event }: { desk: Desk; event: JournalEvent }) {
  const [checked, setChecked] = useState<Checked | null>(null);
  const [failure, setFailure] = useState('');
  const [key, setKey] = useState(recall('journal-key') ?? '');
  const [typed, setTyped] = useState(key);
  useEffect(() => {
    let wanted = true;
    setChecked(null);
    setFailure('');
    check(desk, event.seq, key).then(
      (found) => wanted && setChecked(found),
      (error: unknown) => wanted && setFailure(desk.unread(error)),
    );
    return () => { wanted = false; };
  }, [event.seq, key]);
  const learn = (text: string) => {
    remember('journal-key', text.trim());
    setKey(text.trim());
  };
  return (
    <section class="record" data-seq={event.seq}>
      <h2>{desk.say('record.title', { seq: event.seq })}</h2>
      <p role="status" class={checked?.sealed ? 'good' : 'bad'} data-sealed={checked ? String(checked.sealed) : ''}>
        {failure || (checked && desk.say(checked.sealed ? 'record.sealed' : 'record.broken', { size: checked.size }))}
      </p>
      <p class={checked?.signed === 'no' ? 'bad' : ''} data-signed={checked?.signed}>
        {checked && desk.say(`record.signed.${checked.signed}`)}
      </p>
      <label>{desk.say('record.key')}<input value={typed} spellcheck={false}
        onInput={(e) => setTyped(e.currentTarget.value)} onChange={(e) => learn(e.currentTarget.value)} /></label>
      <pre tabIndex={0}><bdi>{checked?.line ?? JSON.stringify(event)}</bdi></pre>
      {checked && (
        <dl>
          <dt>{desk.say('record.leaf')}</dt><dd><code>{checked.leaf}</code></dd>
          <dt>{desk.say('record.path')}</dt><dd>{checked.path.map((hash) => <code key={hash}>{hash}<br /></code>)}</dd>
        </dl>
      )}
    </section>
  );
}
