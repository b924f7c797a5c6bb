// The page's words in both languages. Keys are checked by the compiler; test/texts.test.ts checks that both files are complete.

import en from './texts/en.json';
import zh from './texts/zh-CN.json';
import { recall } from './memory';

export type Language = 'en' | 'zh-CN';
export type Key = keyof typeof en;
export type Say = (key: Key, values?: Record<string, string | number>) => string;

export const LANGUAGES: Language[] = ['zh-CN', 'en'];
const TEXTS: Record<Language, Record<string, string>> = { en, 'zh-CN': zh };

export function sayIn(language: Language): Say {
  return (key, values = {}) =>
    (TEXTS[language][key] ?? key).replace(/\{(\w+)\}/g, (all, name: string) => String(values[name] ?? all));
}

type Prefix = 'problem' | 'trouble' | 'means' | 'event' | 'role' | 'refusal' | 'odd' | 'change' | 'outcome';

/** A word of the daemon's that may be newer than the page: itself, when there is no text for it. */
export function wordIn(language: Language, prefix: Prefix, word: string): string {
  return TEXTS[language][`${prefix}.${word}`] ?? word;
}

export function preferredLanguage(): Language {
  const chosen = recall('language');
  if (chosen === 'en' || chosen === 'zh-CN') return chosen;
  return navigator.language.startsWith('zh') ? 'zh-CN' : 'en';
}
