// How to get there, whom to call, what to look at.

import { places } from '../board';
import type { Desk } from '../desk';
import type { Alarm, Camera, SiteGuide, SiteHead } from '../types';

export function Way({ desk, alarm, guide }: { desk: Desk; alarm: Alarm; guide?: SiteGuide }) {
  const near = places(alarm).flatMap((place) => guide?.zones.find((zone) => zone.id === place.id)?.cameras ?? []);
  return <Guide desk={desk} site={guide ?? alarm.site} cameras={[...near, ...(guide?.cameras ?? [])]} />;
}

export function Guide({ desk, site, cameras }: { desk: Desk; site: SiteHead & { access?: string }; cameras: Camera[] }) {
  const { address, latitude, longitude, access, contacts = [] } = site;
  return (
    <section class="way">
      <h2>{desk.say('way.title')}</h2>
      <dl>
        <dt>{desk.say('way.address')}</dt><dd><bdi>{address ?? desk.say('way.none')}</bdi></dd>
        {access && <><dt>{desk.say('way.access')}</dt><dd><bdi>{access}</bdi></dd></>}
        {latitude !== undefined && longitude !== undefined && (
          <><dt>{desk.say('way.position')}</dt><dd>{latitude.toFixed(5)}, {longitude.toFixed(5)}</dd></>
        )}
      </dl>
      <h2>{desk.say('call.title')}</h2>
      <ul class="contacts">
        {contacts.length === 0 && <li>{desk.say('call.none')}</li>}
        {contacts.map((contact, i) => (
          <li key={i}>
            <bdi>{contact.name}</bdi>{' '}
            {contact.phone && <a href={`tel:${contact.phone.replace(/[^+\d]/g, '')}`}><bdi>{contact.phone}</bdi></a>}
          </li>
        ))}
      </ul>
      {cameras.length > 0 && <h2>{desk.say('camera.title')}</h2>}
      <ul class="cameras">
        {cameras.filter((camera) => /^(https?|rtsps?):\/\//.test(camera.url)).map((camera) => (
          <li key={camera.url}>
            <a href={camera.url} target="_blank" rel="noreferrer noopener"><bdi>{camera.name}</bdi></a>
          </li>
        ))}
      </ul>
    </section>
  );
}
