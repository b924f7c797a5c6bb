// For the staff of a school or a bureau: each school with what is open, its buttons and when they were last heard.

import { useEffect, useState } from 'preact/hooks';
import type { Desk } from '../desk';
import { moment } from '../time';
import type { Device, Site } from '../types';
import { Troubles } from './calm';
import { SiteMaps } from './floor_plan';
import { Guide } from './way';

const NOBODY: ReadonlyMap<string, string> = new Map();

export function SitesView({ desk, id }: { desk: Desk; id?: string }) {
  const sites = [...desk.sites.values()];
  const site = id ? desk.sites.get(id) : sites.length === 1 ? sites[0] : undefined;
  if (site) return <SiteView key={site.id} desk={desk} site={site} />;
  return (
    <div class="calm">
      <section class="quiet">
        <h1>{desk.say('nav.sites')}</h1>
        <ul class="rows">
          {sites.map((s) => (
            <li key={s.id}>
              <a href={`#/sites/${encodeURIComponent(s.id)}`}><bdi>{s.name ?? s.id}</bdi></a>{' '}
              <span>{desk.say('site.devices', { count: s.device_count })}</span>{' '}
              {openAt(desk, s) > 0 && <b class="bad">{desk.say('site.open', { count: openAt(desk, s) })}</b>}
            </li>
          ))}
        </ul>
      </section>
      <Troubles desk={desk} />
    </div>
  );
}

function openAt(desk: Desk, site: Site): number {
  return desk.openAlarms().filter((alarm) => alarm.site.id === site.id).length;
}

function SiteView({ desk, site }: { desk: Desk; site: Site }) {
  const [devices, setDevices] = useState<Device[] | null>(null);
  useEffect(() => {
    void desk.readGuide(site.id).catch(() => {});
    const read = () => void desk.api.devices(site.id).then(setDevices, () => {});
    read();
    const again = setInterval(read, 10_000); // batteries and last words are no events
    return () => clearInterval(again);
  }, [site.id]);
  const guide = desk.guides.get(site.id);
  return (
    <div class="calm">
      <section class="quiet">
        <h1><bdi>{site.name ?? site.id}</bdi></h1>
        <ul class="rows">
          {openAt(desk, site) === 0 && <li>{desk.say('calm.title')}</li>}
          {desk.openAlarms().filter((alarm) => alarm.site.id === site.id).map((alarm) => (
            <li key={alarm.id}>
              <a href="#/" onClick={() => desk.choose(alarm.id)}>
                {alarm.mode !== 'real' && `${desk.say(`mode.${alarm.mode}`)} `}{desk.say(`kind.${alarm.kind}`)}
              </a>{' '}
              {desk.standing(alarm)} · {moment(alarm.opened_at, desk.language, guide?.time_zone)}
            </li>
          ))}
        </ul>
      </section>
      <section class="wide">
        <h2>{desk.say('site.buttons')}</h2>
        <Devices desk={desk} devices={devices} zone={guide?.time_zone} />
      </section>
      <Guide desk={desk} site={guide ?? site} cameras={guide?.cameras ?? []} />
      <SiteMaps desk={desk} guide={guide} pressed={NOBODY} />
      <Troubles desk={desk} />
    </div>
  );
}

function word(desk: Desk, device: Device): { text: string; bad: boolean } {
  if (device.disabled) return { text: desk.say('device.disabled'), bad: false };
  if (device.offline) return { text: desk.say('device.offline'), bad: true };
  if (device.silent) return { text: desk.say('device.silent'), bad: true };
  return { text: desk.say(device.heard ? 'device.heard' : 'device.never'), bad: false };
}

function Devices({ desk, devices, zone }: { desk: Desk; devices: Device[] | null; zone?: string }) {
  return (
    <table>
      <thead>
        <tr>
          {(['device.name', 'device.place', 'device.kind', 'device.state', 'device.last', 'device.battery'] as const)
            .map((key) => <th key={key} scope="col">{desk.say(key)}</th>)}
        </tr>
      </thead>
      <tbody>
        {(devices ?? []).map((device) => {
          const state = word(desk, device);
          return (
            <tr key={device.id} data-device={device.id}>
              <th scope="row"><bdi>{device.id}</bdi></th>
              <td><bdi>{device.zone?.name ?? device.zone?.id ?? '–'}</bdi></td>
              <td>{desk.say(`kind.${device.kind}`)}</td>
              <td class={state.bad ? 'bad' : ''}>{state.bad && '⚠ '}{state.text}</td>
              <td>{device.heard_at ? moment(device.heard_at, desk.language, zone) : '–'}</td>
              <td class={device.battery !== null && device.battery < 20 ? 'bad' : ''}>
                {device.battery === null ? '–' : `${device.battery} %`}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
