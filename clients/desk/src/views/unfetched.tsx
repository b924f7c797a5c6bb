// A part of the page that could not be fetched: says so, and how it is had.

import type { Desk } from '../desk';

export function Unfetched({ desk }: { desk: Desk }) {
  return (
    <p role="status" class="bad unfetched">
      {desk.say('page.unfetched')} <button onClick={() => location.reload()}>{desk.say('page.anew')}</button>
    </p>
  );
}
