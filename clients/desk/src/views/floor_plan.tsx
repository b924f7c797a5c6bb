// The map of an alarm's site; its library is fetched when it is needed first.

import { places } from '../board';
import type { Desk } from '../desk';
import type { Alarm, SiteGuide } from '../types';
import { useLater } from './hooks';
import type { MapProps } from './map';
import { Unfetched } from './unfetched';

export function FloorPlan({ desk, alarm, guide }: { desk: Desk; alarm: Alarm; guide?: SiteGuide }) {
  const pressed = new Map(places(alarm).map((place) => [place.id, place.count > 1 ? `×${place.count}` : '']));
  return <SiteMaps desk={desk} guide={guide} pressed={pressed} />;
}

export function SiteMaps({ desk, guide, pressed }: { desk: Desk; guide?: SiteGuide; pressed: ReadonlyMap<string, string> }) {
  const { View, fails } = useLater<MapProps>(() => import('./map').then((module) => module.default), !!guide?.maps.length);
  const names = guide?.zones.filter((zone) => pressed.has(zone.id)).map((zone) => zone.name ?? zone.id).join(', ');
  return (
    <section class="floor-plan">
      <h2>{desk.say('map.title')}</h2>
      {!guide?.maps.length && <p>{desk.say('map.none')}</p>}
      {fails && <Unfetched desk={desk} />}
      {guide && View && (
        <View guide={guide} pressed={pressed} label={desk.say('map.label', { places: names ?? '' })} labelOf={(map) => map.name} />
      )}
    </section>
  );
}
