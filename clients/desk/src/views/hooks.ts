import { createContext, type FunctionComponent } from 'preact';
import { useContext, useEffect, useLayoutEffect, useState } from 'preact/hooks';
import type { Desk } from '../desk';
import { routeOf } from '../route';

const TICK_MS = 250;
const FETCH_AGAIN_MS = 1000;
const clocks = new Set<() => void>();
setInterval(() => clocks.forEach((tick) => tick()), TICK_MS);

function useAgain(): () => void {
  const [, set] = useState(0);
  return () => set((n) => n + 1);
}

/** Renders again whenever the desk changed; subscribed before anything can change, so that no change is missed. */
export function useDesk(desk: Desk): void {
  const again = useAgain();
  useLayoutEffect(() => desk.subscribe(again), [desk]);
}

/** Renders again four times a second: for what counts. */
export function useTicks(): void {
  const again = useAgain();
  useEffect(() => {
    clocks.add(again);
    return () => void clocks.delete(again);
  }, []);
}

/** What time it is: the daemon's now, or the moment that is replayed. */
export const Now = createContext<(() => number) | null>(null);

export function useNow(desk: Desk): number {
  useTicks();
  const replayed = useContext(Now);
  return replayed ? replayed() : desk.api.nowMs();
}

/** Where the address leads: route.ts. */
export function useRoute(): string[] {
  const again = useAgain();
  useEffect(() => {
    addEventListener('hashchange', again);
    return () => removeEventListener('hashchange', again);
  }, []);
  return routeOf(location.hash);
}

/** A view whose code is fetched when it is `wanted` first, and again until it is here. `fails`: it could not be had yet, because
 * the daemon does not answer, or the page is older than what it serves by now. */
export function useLater<P>(load: () => Promise<FunctionComponent<P>>, wanted = true): { View: FunctionComponent<P> | null; fails: boolean } {
  const [View, setView] = useState<FunctionComponent<P> | null>(null);
  const [fails, setFails] = useState(false);
  useEffect(() => {
    if (!wanted) return;
    let timer: ReturnType<typeof setTimeout> | undefined, left = false;
    const attempt = () => void load().then(
      (view) => setView(() => view),
      () => {
        setFails(true);
        if (!left) timer = setTimeout(attempt, FETCH_AGAIN_MS);
      },
    );
    attempt();
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [wanted]);
  return { View, fails: fails && !View };
}
