// The map of an alarm's site; its library is fetched when it is needed first.

import type { FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { places } from '../board';
import type { Desk } from '../desk';
import type { Alarm, SiteGuide } from '../types';
import type { MapProps } from './map';

export function FloorPlan({ desk, alarm, guide }: { desk: Desk; alarm: Alarm; guide?: SiteGuide }) {
  const pressed = new Map(places(alarm).map((place) => [place.id, place.count > 1 ? `×${place.count}` : '']));
  return <SiteMaps desk={desk} guide={guide} pressed={pressed} />;
}

export function SiteMaps({ desk, guide, pressed }: { desk: Desk; guide?: SiteGuide; pressed: ReadonlyMap<string, string> }) {
  const [View, setView] = useState<FunctionComponent<MapProps> | null>(null);
  const hasMaps = !!guide?.maps.length;
  useEffect(() => {
    if (hasMaps) void import('./map').then((module) => setView(() => module.default));
  }, [hasMaps]);
  const names = guide?.zones.filter((zone) => pressed.has(zone.id)).map((zone) => zone.name ?? zone.id).join(', ');
  return (
    <section class="floor-plan">
      <h2>{desk.say('map.title')}</h2>
      {!guide?.maps.length && <p>{desk.say('map.none')}</p>}
      {guide && View && (
        <View guide={guide} pressed={pressed} label={desk.say('map.label', { places: names ?? '' })} labelOf={(map) => map.name} />
      )}
    </section>
  );
}
