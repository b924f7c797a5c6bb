// The frame around every view: who is signed in, whether it is live, what must not be overlooked, and the keys.

import type { FunctionComponent } from 'preact';
import { useEffect } from 'preact/hooks';
import { look } from '../board';
import type { Desk } from '../desk';
import { LANGUAGES, type Language } from '../texts';
import { clock } from '../time';
import type { Alarm } from '../types';
import { BoardView } from './board';
import { TroublesView, VitalTroubles } from './calm';
import { Expiry } from './expiry';
import { Speaker } from './icon';
import { HistoryView } from './history';
import { useDesk, useLater, useRoute, useTicks } from './hooks';
import { useKeys } from './keys';
import { PressButton } from './press';
import { SignIn } from './sign_in';
import { SitesView } from './sites';
import { Unfetched } from './unfetched';

interface Props {
  desk: Desk;
}

/** What few need is fetched when it is opened first. */
function later<P extends Props>(load: () => Promise<FunctionComponent<P>>): FunctionComponent<P> {
  return (props) => {
    const { View, fails } = useLater(load);
    return View ? <View {...props} /> : fails ? <Unfetched desk={props.desk} /> : null;
  };
}

const Replay = later(() => import('./replay').then((module) => module.ReplayView));
const Figures = later(() => import('./figures').then((module) => module.FiguresView));
const Report = later(() => import('./report').then((module) => module.ReportView));

export function Page({ desk }: Props) {
  useDesk(desk);
  useKeys(desk);
  const route = useRoute();
  useEffect(() => {
    document.documentElement.lang = desk.language;
    document.documentElement.dataset.theme = desk.dark ? 'dark-room' : 'auto';
  }, [desk.language, desk.dark]);
  useTitle(desk);
  if (desk.starting) return null;
  if (!desk.account) return <SignIn desk={desk} />;
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById('main')?.focus(); }}>
        {desk.say('app.skip')}
      </a>
      <Head desk={desk} route={route} />
      <Banners desk={desk} onBoard={(route[0] ?? '') === ''} />
      <main id="main" tabIndex={-1}>{view(desk, route)}</main>
    </>
  );
}

function view(desk: Desk, route: string[]) {
  switch (route[0]) {
    case 'sites': return <SitesView desk={desk} id={route[1]} />;
    case 'replay': return <Replay desk={desk} alarm={route[1]} compares={route[2] === 'today'} />;
    case 'figures': return <Figures desk={desk} />;
    case 'alarms': return <Report key={route[1]} desk={desk} id={route[1] ?? ''} />;
    case 'troubles': return <TroublesView desk={desk} />;
    case 'history': return <HistoryView desk={desk} />;
    default: return <><PressButton desk={desk} /><BoardView desk={desk} /></>;
  }
}

/** The tab says what is open, also when another one is in front. */
function useTitle(desk: Desk): void {
  const [first, ...others] = desk.account ? desk.untaken() : [];
  const name = desk.say('app.name');
  useEffect(() => {
    document.title = first ? `(${others.length + 1}) ${desk.what(first)} · ${name}` : name;
  });
}

function Head({ desk, route }: Props & { route: string[] }) {
  const all = [['', 'nav.board'], ['sites', 'nav.sites'], ['history', 'nav.history'], ['figures', 'nav.figures'],
    ['replay', 'nav.replay']] as const;
  const pages = all.filter(([path]) => path !== 'replay' || desk.account?.may_read_journal);
  return (
    <header>
      <strong class="brand">{desk.say('app.name')}</strong>
      <Live desk={desk} />
      <nav aria-label={desk.say('nav.label')}>
        {pages.map(([path, key]) => (
          <a key={path} href={`#/${path}`} aria-current={(route[0] ?? '') === path ? 'page' : undefined}>{desk.say(key)}</a>
        ))}
      </nav>
      {desk.board.troubles.length > 0 && (
        <a class="disturbed" href="#/troubles" aria-current={route[0] === 'troubles' ? 'page' : undefined}>
          ⚠ {desk.say('trouble.count', { count: desk.board.troubles.length })}
        </a>
      )}
      <span class="grow" />
      {desk.isSounding && (
        <button class="sounding" onClick={() => desk.mute()}>
          <Speaker /> {desk.say('sound.mute')}
        </button>
      )}
      <details class="menu">
        <summary><span class="unseen">{desk.say('head.account')} </span><bdi class="who">{desk.account?.name}</bdi></summary>
        <div>
          <Switches desk={desk} />
          <button onClick={() => void desk.signOut()}>{desk.say('signin.out')}</button>
          <button onClick={() => void desk.signOut(true)}>{desk.say('signin.everywhere')}</button>
        </div>
      </details>
    </header>
  );
}

export function Switches({ desk }: Props) {
  return (
    <>
      <label class="switch">
        <span class="unseen">{desk.say('head.language')}</span>
        <select value={desk.language} onChange={(event) => desk.setLanguage(event.currentTarget.value as Language)}>
          {LANGUAGES.map((language) => <option key={language} value={language}>{language === 'en' ? 'English' : '中文'}</option>)}
        </select>
      </label>
      <Switch desk={desk} name="dark" />
      <Switch desk={desk} name="keys" />
    </>
  );
}

function Switch({ desk, name }: Props & { name: 'dark' | 'keys' }) {
  return (
    <label class="switch">
      <input type="checkbox" checked={desk[name]} onChange={(event) => desk.setSwitch(name, event.currentTarget.checked)} />
      {desk.say(`head.${name}`)}
    </label>
  );
}

function Live({ desk }: Props) {
  useTicks();
  const zone = desk.homeZone();
  return (
    <span class={desk.live ? 'live' : 'live not'}>
      <span aria-hidden="true">{desk.live ? '●' : '✖'} </span>
      {desk.say(desk.live ? 'live.yes' : 'live.no')} <time>{clock(desk.api.nowMs(), desk.language, zone)}</time>
    </span>
  );
}

function Banners({ desk, onBoard }: Props & { onBoard: boolean }) {
  const zone = desk.homeZone();
  const [first, ...others] = desk.untaken();
  const lost = desk.lastLiveMs === null
    ? desk.say('live.never')
    : desk.say('live.lost', { time: clock(desk.lastLiveMs, desk.language, zone) });
  return (
    <>
      <div role="alert">{!desk.live && <p class="banner lost">✖ {lost}</p>}</div>
      <VitalTroubles desk={desk} />
      <Expiry desk={desk} />
      {desk.account?.may_answer && !desk.sound.allowed && (
        <button class="banner sound-off" onClick={() => desk.allowSound()}><Speaker /> {desk.say('sound.off')}</button>
      )}
      <div role="alert">
        {onBoard && desk.arrived.map((id) => {
          const alarm = desk.board.alarms.get(id);
          return alarm && desk.isUntaken(alarm) && (
            <Arrived key={id} desk={desk} alarm={alarm} text={desk.marked(alarm.mode, desk.say('list.newat', about(desk, alarm)))} />
          );
        })}
        {!onBoard && first && (
          <Arrived desk={desk} alarm={first}
            text={desk.marked(first.mode, desk.say('list.untaken', { ...about(desk, first), count: others.length + 1 }))} />
        )}
      </div>
    </>
  );
}

function about(desk: Desk, alarm: Alarm) {
  return { kind: desk.say(`kind.${alarm.kind}`), site: alarm.site.name ?? alarm.site.id };
}

function Arrived({ desk, alarm, text }: Props & { alarm: Alarm; text: string }) {
  const show = () => {
    location.hash = '#/';
    desk.choose(alarm.id);
  };
  return <p class={`banner arrived ${look(alarm)}`}>{text} <button onClick={show}>{desk.say('list.go')}</button></p>;
}
