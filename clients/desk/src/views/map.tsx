// A site's maps and floor plans, as images with the places on them. No tiles, no outside host.

import L from 'leaflet';
import 'leaflet/dist/leaflet.css';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { SiteGuide, SiteMap, Zone } from '../types';

const FETCH_AGAIN_MS = 1000;

export interface MapProps {
  guide: SiteGuide;
  /** Zones that pressed → what stands beside them. */
  pressed: ReadonlyMap<string, string>;
  label: string;
  labelOf: (map: SiteMap) => string;
}

/** The maps that show a pressed zone first; without any, all. */
function inOrder(guide: SiteGuide, pressed: ReadonlyMap<string, string>): SiteMap[] {
  const shows = (map: SiteMap) => guide.zones.some((zone) => zone.map === map.id && pressed.has(zone.id));
  return [...guide.maps].sort((a, b) => Number(shows(b)) - Number(shows(a)));
}

export default function MapView({ guide, pressed, label, labelOf }: MapProps) {
  const maps = inOrder(guide, pressed);
  const [chosen, choose] = useState<string | null>(null);
  const map = maps.find((m) => m.id === chosen) ?? maps[0];
  if (!map) return null;
  return (
    <>
      {maps.length > 1 && (
        <div class="tabs" role="group">
          {maps.map((m) => (
            <button key={m.id} aria-pressed={m.id === map.id} onClick={() => choose(m.id)}>{labelOf(m)}</button>
          ))}
        </div>
      )}
      <Picture key={map.image} guide={guide} map={map} pressed={pressed} label={label} />
    </>
  );
}

function Picture({ guide, map, pressed, label }: { guide: SiteGuide; map: SiteMap; pressed: ReadonlyMap<string, string>; label: string }) {
  const holder = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState<{ width: number; height: number } | null>(null);
  useEffect(() => {
    const image = new Image();
    let timer: ReturnType<typeof setTimeout> | undefined;
    image.onload = () => setSize({ width: image.naturalWidth || 1000, height: image.naturalHeight || 700 });
    image.onerror = () => { timer = setTimeout(() => { image.src = map.image; }, FETCH_AGAIN_MS); };
    image.src = map.image;
    return () => {
      image.onerror = null;
      clearTimeout(timer);
    };
  }, [map.image]);
  const places = [...pressed].map(([zone, text]) => `${zone} ${text}`).join(', ');
  useEffect(() => {
    if (!holder.current || !size) return;
    const leaflet = draw(holder.current, map, size, guide.zones.filter((zone) => zone.map === map.id), pressed);
    return () => void leaflet.remove();
  }, [size, places]);
  return <div class="map" ref={holder} role="img" aria-label={label} />;
}

function draw(holder: HTMLElement, map: SiteMap, size: { width: number; height: number }, zones: Zone[],
              pressed: ReadonlyMap<string, string>): L.Map {
  const bounds = L.latLngBounds([0, 0], [size.height, size.width]);
  const leaflet = L.map(holder, {
    crs: L.CRS.Simple, attributionControl: false, zoomControl: true, scrollWheelZoom: false, keyboard: false, zoomSnap: 0.1,
    minZoom: -6, maxZoom: 3, maxBounds: bounds.pad(0.3),
  });
  L.imageOverlay(map.image, bounds).addTo(leaflet);
  leaflet.fitBounds(bounds);
  for (const zone of zones) {
    if (zone.x === undefined || zone.y === undefined) continue;
    const at: L.LatLngTuple = [size.height * (1 - zone.y / 100), (size.width * zone.x) / 100];
    L.marker(at, { icon: mark(zone, pressed.get(zone.id)), keyboard: false, interactive: false }).addTo(leaflet);
  }
  return leaflet;
}

function mark(zone: Zone, text: string | undefined): L.DivIcon {
  const sign = document.createElement('span');
  sign.className = text === undefined ? 'place-mark' : 'place-mark pressed';
  const name = document.createElement('bdi');
  name.textContent = text === undefined ? (zone.name ?? zone.id) : `◉ ${zone.name ?? zone.id} ${text}`;
  sign.append(name);
  return L.divIcon({ html: sign, className: 'on-map', iconSize: [0, 0] });
}
