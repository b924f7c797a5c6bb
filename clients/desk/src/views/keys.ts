// Keys of the board. Enter takes the alarm that is looked at, wherever the focus is, but where Enter has a meaning of its own.
// The single letters can be switched off (WCAG 2.1.4).

import { useEffect } from 'preact/hooks';
import { boardIsInFront, type Desk } from '../desk';
import type { Alarm } from '../types';

const KEYS: Record<string, (desk: Desk, alarm: Alarm) => void> = {
  c: (desk) => desk.actByKey('coming'),
  s: (desk) => desk.actByKey('on-scene'),
  w: (desk, alarm) => desk.write(alarm.id, { form: 'note' }),
  x: (desk, alarm) => desk.write(alarm.id, { form: 'close' }),
  n: (desk) => desk.chooseUntaken(),
  arrowdown: (desk) => desk.chooseNext(1),
  arrowup: (desk) => desk.chooseNext(-1),
};

function writesText(target: Element | null): boolean {
  return !!target?.closest('input, textarea, select, [contenteditable]');
}

function onKey(desk: Desk, event: KeyboardEvent): void {
  desk.allowSound();
  if (!desk.account || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  const target = event.target instanceof Element ? event.target : null;
  if (event.key.toLowerCase() === 'm' && desk.keys && desk.isSounding && !writesText(target)) desk.mute();
  if (!boardIsInFront()) return;
  const alarm = desk.current();
  if (!alarm) return;
  if (event.key === 'Escape') {
    if (desk.draft(alarm.id).form) desk.write(alarm.id, { form: null });
    return;
  }
  if (writesText(target)) return;
  if (event.key === 'Enter') {
    if (target?.closest('a, button, summary')) return;
    event.preventDefault();
    desk.actByKey('acknowledge');
    return;
  }
  const key = KEYS[event.key.toLowerCase()];
  if (!key || !desk.keys || !desk.account.may_answer) return;
  event.preventDefault();
  key(desk, alarm);
}

export function useKeys(desk: Desk): void {
  useEffect(() => {
    const key = (event: KeyboardEvent) => onKey(desk, event);
    const click = () => desk.allowSound();
    document.addEventListener('keydown', key);
    document.addEventListener('pointerdown', click);
    return () => {
      document.removeEventListener('keydown', key);
      document.removeEventListener('pointerdown', click);
    };
  }, [desk]);
}
